from pathlib import Path

from tests.tools import dialogues
from tests.tools.bench.words.sets import DIALOGUES, all_sets


def test_recordings_of_ones_own_are_sorted_by_their_names(tmp_path: Path):
    sound = (dialogues.FOLDER / "diabetes.opus").read_bytes()
    for name in ("conversation-ward.opus", "letter.opus", "card-004.wav", "unlisted.opus"):
        (tmp_path / name).write_bytes(sound)
    lines = ["conversation-ward.opus\tGood morning.", "letter.opus\tDear Sir", "gone.wav\tHi"]
    (tmp_path / "natural.tsv").write_text("\n".join(lines))
    found = {name: [(clip.name, clip.said) for clip in clips] for name, clips in all_sets(tmp_path).items()}
    assert found["conversations"] == [("conversation-ward.opus", "Good morning.")]
    assert found["read"] == [("letter.opus", "Dear Sir")]
    assert found["commands"] == [("card-004.wav", "five")]


def test_without_a_folder_there_are_our_own_dialogues():
    sets = all_sets(None)
    assert list(sets) == [DIALOGUES]
    assert sets[DIALOGUES][0].name == "consultation.opus"
    assert all(clip.said and clip.path.is_file() for clip in sets[DIALOGUES])

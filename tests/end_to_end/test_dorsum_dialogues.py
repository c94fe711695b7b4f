"""Whole consultations: words at once, the whole transcript without a word lost at a cut, and the note, each thing in
its section. Two are sent by the guide's own script under Node, as floats and as integers."""

import asyncio
import re
import wave
from uuid import UUID

import numpy as np
import orjson
import pytest

from service.sample.word_error_rate import word_error_rate
from tests.end_to_end.dorsum_client import CHUNK, Dorsum, sections_of, stitched_samples, stored_chunks
from tests.guides.guides import block
from tests.guides.shell import checkout, run
from tests.left_out import needed
from tests.tools import dialogues
from tests.tools.bench.words.normalizer import normalized

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MOST_ERRORS = 0.06

# For each section: what a sentence of it says, by words that the engine hears.
SAID = {
    "chest_pain": {
        "Subjective": ["pain in my chest since last night", "short of breath", "my father had a heart attack"],
        "Objective": ["blood pressure is one hundred and sixty over ninety", "lungs are clear"],
        "Assessment": ["i think this is a problem with the blood supply of the heart"],
        "Plan": ["blood test today", "take one tablet every evening", "come back in one week"],
    },
    "ear_infection": {
        "Subjective": ["my son has had a pain in his", "he had a fever last night"],
        "Objective": ["the left ear looks normal", "throat is clear"],
        "Assessment": ["your son has an infection of the middle"],
        "Plan": ["medicine for seven days", "come back in three days"],
    },
    "diabetes": {
        "Subjective": ["i have been very tired", "i am always thirsty", "i eat too much bread"],
        "Objective": ["your blood sugar", "no sign of damage"],
        "Plan": ["increase the dose of your tablets", "test your blood again in three months"],
    },
}


def check_sections(name: str, found: dict[str, list[str]], transcript: str) -> None:
    """What was said and recognized is in its section, and in no other.

    Which words are recognized differs now and then between kinds of processors, which round differently: one of these
    may be missing from the transcript. How many words are wrong is checked for itself.
    """
    assert list(found) == ["Subjective", "Objective", "Assessment", "Plan"]
    said = [(title, words) for title, of_title in SAID[name].items() for words in of_title]
    recognized = [(title, words) for title, words in said if is_in(words, transcript)]
    assert len(recognized) >= len(said) - 1, transcript
    for title, words in recognized:
        holding = [other for other, sentences in found.items() if any(is_in(words, one) for one in sentences)]
        assert holding == [title], (words, holding, found)


def is_in(words: str, sentence: str) -> bool:
    """Whether these words are said in it, next to each other, however they are written."""
    return f" {' '.join(normalized(words))} " in f" {' '.join(normalized(sentence))} "


def wrong(said: str, heard: str) -> float:
    """The word error rate, however numbers and contractions are written."""
    return word_error_rate(" ".join(normalized(said)), " ".join(normalized(heard)))


def check_quoted(sentences: list[str], transcript: str) -> None:
    words = f" {transcript} "
    for sentence in sentences:
        assert f" {sentence} " in words


@pytest.mark.parametrize(("name", "form"), [("chest_pain", "floats"), ("ear_infection", "integers")])
async def test_the_guides_script_under_node_gets_words_transcript_and_note(service, tmp_path, name, form):
    node = needed("node", "plays a browser")
    sound = dialogues.samples(name)
    with wave.open(str(tmp_path / "recording.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "NONE"))
        file.writeframes(sound.astype("<i2").tobytes())
    script = block("service/dialects/dorsum/README.md", "A consultation by hand", "js")
    (checkout(tmp_path, service.data_dir) / "dorsum.mjs").write_text(script)
    process = await asyncio.create_subprocess_exec(
        node, "dorsum.mjs", "recording.wav", form, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    *words, rest = re.split(r"\n\n", output.decode(), maxsplit=1)
    intermediate = [line.removeprefix("… ") for line in words[0].splitlines()]
    assert len(intermediate) == len(sound) // CHUNK
    full, note = rest.split("\n\n", 1)
    note, _, named = note.rpartition("\n\n")
    session_id, task_id = re.fullmatch(r"Session (\S+), task (\S+)\n", named).groups()

    assert wrong(dialogues.text(name), full) <= MOST_ERRORS
    at_once = " ".join(intermediate)
    assert wrong(" ".join(full.split()[: len(at_once.split())]), at_once) <= 2 * MOST_ERRORS  # cuts go through words
    assert note.startswith("DRAFT, to be reviewed by a clinician.")
    found = sections_of(note)
    check_sections(name, found, full)
    check_quoted([sentence for sentences in found.values() for sentence in sentences], full)

    progress = block("service/dialects/dorsum/README.md", "A consultation by hand", "sh")
    assert "http://127.0.0.1:8080/" in progress
    progress = progress.replace("http://127.0.0.1:8080", service.url)
    state = orjson.loads((await asyncio.to_thread(run, progress, tmp_path, SESSION=session_id)).stdout)
    assert (state["status"], state["transcript"], state["task_id"]) == ("completed", full, task_id)

    assert (await stitched_samples(service, task_id) == sound).all()
    cut = [sound[start : start + CHUNK].astype("<i2").tobytes() for start in range(0, len(sound), CHUNK)]
    assert sorted(await stored_chunks(service, task_id)) == sorted(cut)


async def test_the_note_as_json_says_where_each_sentence_was_said(service):
    name = "diabetes"
    dorsum = Dorsum.of(service)
    *_, final = await dorsum.send_all(dialogues.samples(name), output_format="json")
    transcript = final["full_transcript"]
    assert wrong(dialogues.text(name), transcript) <= MOST_ERRORS
    stored = await service.api().transcript({"id": f"rec_{UUID(final['task_id']).hex}"})
    assert stored["text"] == transcript
    assert {segment.get("speaker") for segment in stored["segments"]} == {"S1", "S2"}
    note = orjson.loads(final["clinical_notes"])
    assert {name: note[name] for name in ("engine", "draft", "language")} == {
        "engine": "extractive",
        "draft": True,
        "language": "en",
    }
    assert note.keys() == {"sections", "engine", "draft", "language", "unsupported"}
    assert note["unsupported"] == []  # a quotation says nothing of its own
    check_sections(
        name,
        {title.capitalize(): [one["text"] for one in said] for title, said in note["sections"].items()},
        transcript,
    )
    words = transcript.split()
    for sentence in (sentence for sentences in note["sections"].values() for sentence in sentences):
        source = sentence["source"]
        assert words[source["from_word"] : source["to_word"]] == sentence["text"].split()
        assert 0 <= source["start"] < source["end"] <= len(dialogues.samples(name)) / 16_000 + 1

    text = await dorsum.send(
        dialogues.samples(name)[2 * CHUNK :], final=True, previous_transcript=_previous(final, dorsum), key="text"
    )
    assert text.status == 409  # a request of another name is another chunk, and the session has ended
    state = (await dorsum.state()).json
    assert (state["status"], state["transcript"], state["task_id"]) == ("completed", transcript, final["task_id"])
    assert UUID(final["task_id"]).version == 5


def _previous(final: dict, dorsum: Dorsum) -> str:
    return final["full_transcript"] + dorsum.session_id


def test_the_dialogues_are_some_75_seconds_long():
    lengths = {name: len(dialogues.samples(name)) / 16_000 for name in dialogues.NAMES}
    assert all(70 <= seconds <= 80 for seconds in lengths.values()), lengths
    assert lengths["chest_pain"] >= 75
    assert np.abs(dialogues.samples("chest_pain")).max() > 1_000

"""Which recordings are in which set, and what is said in them.

A user's own folder has a `natural.tsv`: per line a file's name, a tab, its words. Files named `conversation*` are the
conversations, all others are read sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks
from service import sample
from tests.places import SHARED_DATA
from tests.tools import dialogues

SPEECH_FOLDER = SHARED_DATA / "speech"
TEXTS = "natural.tsv"
DIALOGUES = "dialogues"
READ = "read"
SETS = ("conversations", READ, "commands", DIALOGUES)

# As in the folder's README.md.
_COMMANDS = {
    "goforward.wav": "go forward ten meters",
    "something.wav": "go somewhere and do something",
    "numbers.wav": "thirty three four or six ninety two",
    "card-001.wav": "ten of clubs",
    "card-002.wav": "queen of clubs",
    "card-003.wav": "seven of clubs",
    "card-004.wav": "five",
    "card-005.wav": "eight of spades four of clubs seven of hearts",
}


@dataclass(frozen=True)
class Clip:
    path: Path
    said: str

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def samples(self) -> Samples:
        """The sound at 16 kHz mono."""
        return np.concatenate(list(pcm_blocks(lambda: self.path.open("rb"))))

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def all_sets(folder: Path | None) -> dict[str, Sequence[Clip]]:
    """The clips of every set that is not empty; without a folder, our own dialogues."""
    found = _of_folder(folder) if folder is not None else []
    sets = {
        "conversations": [clip for clip in found if clip.name.startswith("conversation")],
        READ: [clip for clip in found if not clip.name.startswith("conversation") and clip.name not in _COMMANDS],
        "commands": [clip for clip in found if clip.name in _COMMANDS],
        DIALOGUES: [
            Clip(Path(sample.__file__).parent / "consultation.opus", sample.spoken_text()),
            *(Clip(dialogues.FOLDER / f"{name}.opus", dialogues.text(name)) for name in dialogues.NAMES),
        ],
    }
    return {name: clips for name, clips in sets.items() if clips}


def _of_folder(folder: Path) -> list[Clip]:
    """Raises: OSError when the folder has no list of texts."""
    lines = (folder / TEXTS).read_text(encoding="utf-8").splitlines()
    said = dict(line.split("\t", 1) for line in lines if "\t" in line)
    texts = said | {name: text for name, text in _COMMANDS.items() if name not in said}
    return [Clip(folder / name, text) for name, text in texts.items() if (folder / name).is_file()]

"""Three consultations spoken by flite's voices, with their texts: chest pain, a diabetes follow-up, a child's earache.

`python -m tests.tools.dialogues` recreates the sound from the texts, with flite on the PATH; see
`tests.tools.make_sample`.
"""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from adapters.audio.decoding import pcm_blocks

FOLDER = Path(__file__).parent
NAMES = ("chest_pain", "diabetes", "ear_infection")


def text(name: str) -> str:
    """The words as spoken: one line per turn, each beginning with `Doctor:` or `Patient:`."""
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@cache
def samples(name: str) -> npt.NDArray[np.int16]:
    """The sound at 16 kHz mono."""
    return np.concatenate(list(pcm_blocks(lambda: (FOLDER / f"{name}.opus").open("rb"))))

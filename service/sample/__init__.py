"""The project's own speech sample: a doctor and a patient talk about a headache for about a minute.

The audio is synthetic (see `tests/tools/make_sample.py`), so it belongs to nobody and may be sent anywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

_ROOM = files(__name__)


@contextmanager
def audio_file() -> Iterator[Path]:
    """Give the path of the sample (mono Ogg Opus), good within the `with` also when installed as a zip."""
    with as_file(_ROOM / "consultation.opus") as path:
        yield path


def spoken_text() -> str:
    """Return the words as spoken: one line per turn, each begun by `Doctor:` or `Patient:`."""
    return (_ROOM / "consultation.txt").read_text(encoding="utf-8")

"""Recordings of people, from the folder beside the checkout; what needs it is skipped without it."""

from pathlib import Path

import pytest

SPEECH_FOLDER = Path(__file__).parents[4] / "shared" / "data" / "speech"

needs_speech = pytest.mark.skipif(
    not SPEECH_FOLDER.is_dir(), reason="there is no ../shared/data/speech beside the checkout"
)

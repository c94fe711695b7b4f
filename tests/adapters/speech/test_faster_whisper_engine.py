"""The mapping of faster-whisper's answers, against a stand-in for it.

The library is an optional extra and its models are gigabytes, so neither is there when tests run. The stand-in has the
parts of its interface that the engine uses, as version 1.2 documents them; what it can not show is that a model loads.
"""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from adapters.speech.engine import EngineUnavailable
from adapters.speech.faster_whisper_engine import FasterWhisperEngine
from tests.adapters.audio.samples import opener, tone, wav


class StandIn:
    """Says "one" at the start of what it hears and is sure of it, and hears nothing after."""

    made: dict[str, Any]
    heard: list[tuple[npt.NDArray[np.float32], dict[str, Any]]]

    def __init__(self, path: str, **settings: Any) -> None:
        type(self).made = {"path": path, **settings}
        type(self).heard = []

    def transcribe(self, sound: npt.NDArray[np.float32], **settings: Any) -> tuple[Any, Any]:
        self.heard.append((sound, settings))
        found = [
            SimpleNamespace(start=0.25, end=1.0, text=" one", avg_logprob=-0.1),
            SimpleNamespace(start=1.0, end=1.0, text="  ", avg_logprob=-2.0),
        ]
        return iter(found), SimpleNamespace(language="en")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    module = ModuleType("faster_whisper")
    module.WhisperModel = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    return StandIn


def test_segments_of_every_piece_come_back_at_their_times(stand_in: type[StandIn], tmp_path: Path) -> None:
    recording = wav(tone(16_000 * 400, rate=16_000))
    transcript = FasterWhisperEngine(str(tmp_path)).transcribe(opener(recording), language="en-US")
    first, second = transcript.segments
    assert (first.start, first.end, first.text, first.confidence) == (0.25, 1.0, "one", 0.9048)
    assert second.start == pytest.approx(len(stand_in.heard[0][0]) / 16_000 + 0.25, abs=0.001)
    assert (transcript.text, transcript.provider, transcript.engine) == ("one one", "whisper", "faster-whisper")
    assert transcript.duration_ms == 400_000
    for sound, settings in stand_in.heard:
        assert sound.dtype == np.float32
        assert len(sound) <= 300 * 16_000
        assert np.abs(sound).max() <= 1
        assert settings["language"] == "en"


def test_nothing_is_ever_downloaded(stand_in: type[StandIn], tmp_path: Path) -> None:
    FasterWhisperEngine(str(tmp_path)).transcribe(opener(wav(tone(1_600))), language="en")
    assert stand_in.made["local_files_only"] is True
    assert stand_in.made["path"] == str(tmp_path)


@pytest.mark.usefixtures("stand_in")
def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"no model folder at .*nowhere\.$"):
        FasterWhisperEngine(str(tmp_path / "nowhere")).transcribe(opener(wav(tone(1_600))), language="en")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(EngineUnavailable, match=r"install tapedeck\[whisper\]"):
        FasterWhisperEngine(str(tmp_path)).transcribe(opener(wav(tone(1_600))), language="en")

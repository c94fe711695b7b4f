"""Builds the speech engine that the settings name: the only place that knows which engines there are."""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from adapters.speech.faster_whisper_engine import FasterWhisperEngine
from adapters.speech.port import EngineUnavailable, SpeechEngine
from adapters.speech.whisper_model import model_folder

EngineKind = Literal["faster-whisper", "openai"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """Which engine, and where it is: small and picklable, so that each worker process builds its own.

    `model` is a folder for faster-whisper (None: the installed model) and a model's name for an endpoint.
    `tells_speakers`: whether faster-whisper tells speakers who share a channel apart; an endpoint never does.
    `largest_upload_bytes` and `timeout_seconds` (for one request) are for an endpoint only.
    """

    kind: EngineKind = "faster-whisper"
    model: str | None = None
    tells_speakers: bool = True
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    largest_upload_bytes: int = 25_000_000
    timeout_seconds: float = 600.0

    @property
    def works_elsewhere(self) -> bool:
        """Whether a worker process only waits for its answer, so that nothing is gained when that process is paused."""
        return self.kind == "openai"

    @property
    def hears_parts(self) -> bool:
        """Whether the engine is one that hears the parts of a recording one by one: it `HearsParts`."""
        return self.kind == "faster-whisper"


@cache
def build_engine(spec: EngineSpec) -> SpeechEngine:
    """The engine, the same one for the same spec: its model is loaded once per process.

    Raises: EngineUnavailable if it is not installed or its model is missing; ValueError if the spec lacks what its kind
    needs.
    """
    match spec.kind:
        case "faster-whisper":
            return FasterWhisperEngine(spec.model or None, tells_speakers=spec.tells_speakers)
        case "openai":
            # Imported here: aiohttp costs each worker process a quarter of a second at its start, and 8 MiB.
            from adapters.speech.openai_engine import OpenAIEngine  # noqa: PLC0415

            if not spec.base_url:
                raise ValueError("An OpenAI-compatible endpoint needs a base URL.")
            return OpenAIEngine(
                base_url=spec.base_url,
                model=spec.model or "whisper-1",
                api_key=spec.api_key,
                largest_upload_bytes=spec.largest_upload_bytes,
                timeout_seconds=spec.timeout_seconds,
            )


def check_installed(spec: EngineSpec) -> None:
    """Whether the engine's files are there; none is read, and no endpoint is asked. Raises: EngineUnavailable."""
    if spec.kind == "faster-whisper":
        model_folder(spec.model or None)


def preload(spec: EngineSpec) -> None:
    """First thing in a worker process: load the engine's model before there is a job."""
    with suppress(EngineUnavailable):  # the first job that needs it reports this
        build_engine(spec).load()

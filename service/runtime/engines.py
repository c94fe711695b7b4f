"""The speech engine and the note writers that the settings name."""

from adapters.notes.chat_endpoint import ChatEndpoint
from adapters.notes.extractive import ExtractiveNoteWriter
from adapters.notes.note import NoteWriter
from adapters.notes.openai_order_writer import OpenAIOrderWriter
from adapters.notes.openai_writer import OpenAINoteWriter
from adapters.notes.orders import OrderWriter
from adapters.notes.quoting_orders import QuotingOrderWriter
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.port import require_language
from service.runtime.settings import ServiceSettings, Settings


def usable_engine(settings: Settings) -> EngineSpec:
    """Raises: UnsupportedLanguage, EngineUnavailable."""
    engine = engine_of(settings)
    require_language(settings.language, build_engine(engine))
    return engine


def engine_of(settings: ServiceSettings) -> EngineSpec:
    """The engine that the settings name, whether or not it is there."""
    api_key = settings.transcriber_api_key
    return EngineSpec(
        kind=settings.transcriber,
        model=settings.transcriber_model,
        tells_speakers=settings.tell_speakers,
        base_url=settings.transcriber_url,
        api_key=api_key.get_secret_value() if api_key else None,
    )


def note_writer(settings: Settings) -> NoteWriter:
    """What writes the notes of consultations."""
    if settings.note_writer == "extractive":
        return ExtractiveNoteWriter()
    return OpenAINoteWriter(_endpoint(settings), part_characters=settings.note_writer_part_characters)


def order_writer(settings: Settings) -> OrderWriter:
    """What writes the notes that callers order."""
    if settings.note_writer == "extractive":
        return QuotingOrderWriter()
    return OpenAIOrderWriter(_endpoint(settings), part_characters=settings.note_writer_part_characters)


def _endpoint(settings: Settings) -> ChatEndpoint:
    if settings.note_writer_url is None or settings.note_writer_model is None:
        raise ValueError("the settings have already checked both")
    api_key = settings.note_writer_api_key
    return ChatEndpoint(
        base_url=settings.note_writer_url,
        model=settings.note_writer_model,
        api_key=api_key.get_secret_value() if api_key else None,
        timeout_seconds=settings.note_writer_seconds,
    )

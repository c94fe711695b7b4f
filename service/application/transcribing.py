"""The second stage: a recording's audio becomes a transcript, in a worker process."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from adapters.blobs.port import StoredBlob
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.sessions import transcribe_samples
from adapters.speech.transcript import Transcript
from domain.commands import RecordTranscribed
from domain.events import ChunkTranscribed, RecordingKind
from domain.languages import primary_language
from domain.recording import Recording
from service.application.blob_names import made_prefix
from service.application.hearing_parts import PartsOfRecording, Wanted
from service.application.scratch import own_scratch
from service.application.session_speech import SessionOrder, StoredWords, transcribe_stitched_session
from service.application.stage_parts import Effort, Permit, StageParts
from service.application.worker_store import store_at

LONG = timedelta(minutes=10)
"""The embedded engine needs a tenth of the audio's duration on a free core, so longer audio takes long."""

WORTH_PARTS = timedelta(minutes=2)
"""A recording as long as this is recognized part by part, on all workers."""

LEAST_LIMIT = timedelta(minutes=10)
"""Three times the audio's duration is added to this, up to the limit that the settings say."""


@dataclass(frozen=True, slots=True)
class TranscribeOrder:
    blob_store_url: str
    audio_key: str
    engine: EngineSpec
    language: str
    prefix: str


def transcribe_blob(order: TranscribeOrder) -> tuple[StoredBlob, Transcript]:
    """In a worker: make a transcript blob from an audio blob.

    Raises: AudioError; EngineUnavailable; StorageFull, StorageUnavailable.
    """
    store = store_at(order.blob_store_url)
    transcript = build_engine(order.engine).transcribe(partial(store.open, order.audio_key), language=order.language)
    return store.put_bytes(order.prefix, transcript.to_json()), transcript


def transcribe_nothing(order: TranscribeOrder) -> tuple[StoredBlob, Transcript]:
    """In a worker: make the transcript blob of a recording whose chunks have no bytes. Raises: as `transcribe_blob`."""
    transcript = transcribe_samples(build_engine(order.engine), b"", language=order.language)
    return store_at(order.blob_store_url).put_bytes(order.prefix, transcript.to_json()), transcript


class Transcribing:
    """The stage's `Work`."""

    def __init__(self, parts: StageParts) -> None:
        self._parts = parts

    def effort(self, recording: Recording) -> Effort:
        """By the duration of what was stitched. Of samples, most is recognized by then."""
        parts, stitched = self._parts, recording.stitched
        duration = timedelta(milliseconds=stitched.duration_ms) if stitched is not None else timedelta()
        limit = min(LEAST_LIMIT + 3 * min(duration, parts.transcribe_limit), parts.transcribe_limit)
        return parts.effort(recording, limit, is_long=duration > LONG)

    async def do(self, recording_id: UUID, recording: Recording, permit: Permit) -> RecordTranscribed:
        parts, stitched = self._parts, recording.stitched
        if stitched is None:
            raise ValueError("only a stitched recording can be transcribed")
        language = recording.language_wanted or parts.language
        in_worker = partial(parts.in_worker, can_be_paused=not parts.engine.works_elsewhere)
        common: dict[str, Any] = {
            "blob_store_url": parts.blob_store_url,
            "audio_key": stitched.blob_key,
            "engine": parts.engine,
            "language": language,
            "prefix": made_prefix(recording_id, "transcript", recording.edition),
        }
        if recording.opened.kind is RecordingKind.SAMPLES:
            session = SessionOrder(chunks=_words_stored(recording, language), **common)
            blob, transcript = await in_worker(transcribe_stitched_session, session, permit)
        else:
            blob, transcript = await self._of_audio(recording_id, recording, permit, TranscribeOrder(**common))
        return RecordTranscribed(
            at=parts.clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            language=transcript.language,
            engine=transcript.engine,
            provider=transcript.provider,
            word_count=transcript.word_count,
            segment_count=len(transcript.segments),
            confidence=transcript.confidence,
            duration_ms=transcript.duration_ms,
        )

    async def _of_audio(
        self, recording_id: UUID, recording: Recording, permit: Permit, order: TranscribeOrder
    ) -> tuple[StoredBlob, Transcript]:
        parts = self._parts
        function = transcribe_blob if recording.chunks_to_stitch() else transcribe_nothing
        if self._is_heard_by_parts(recording):
            wanted = Wanted(recording_id, recording, order.audio_key, order.language)
            async with own_scratch(parts.scratch_dir) as scratch:
                heard = await PartsOfRecording(parts, wanted, permit, scratch).transcript()
            if heard is not None:
                return heard
        return await parts.in_worker(function, order, permit, can_be_paused=not parts.engine.works_elsewhere)

    def _is_heard_by_parts(self, recording: Recording) -> bool:
        """Not a short one of which nothing is known: finding its parts first would only delay its words."""
        duration_ms = recording.stitched.duration_ms if recording.stitched is not None else 0
        is_worth_it = bool(recording.heard) or timedelta(milliseconds=duration_ms) >= WORTH_PARTS
        return self._parts.engine.hears_parts and is_worth_it and bool(recording.chunks_to_stitch())


def _words_stored(recording: Recording, language: str) -> list[StoredWords]:
    """Each chunk that has bytes, in order, with the key of its own transcript, if that is in the language."""
    chunks = [(chunk, recording.words_of(chunk)) for chunk in recording.chunks_to_stitch()]
    return [
        StoredWords(chunk.size_bytes, words.blob_key if words and _is_in(language, words) else None)
        for chunk, words in chunks
    ]


def _is_in(language: str, words: ChunkTranscribed) -> bool:
    return primary_language(words.language) == primary_language(language)

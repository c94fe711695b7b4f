"""Speech engine at any OpenAI-compatible endpoint, over HTTP; promises constant memory and never to reveal its key.

`POST {base_url}/audio/transcriptions`, as in OpenAI's API reference. A recording within the endpoint's limit is sent as
it is. A longer one, or one in a format that endpoints do not accept, is sent in pieces, cut where it is quietest and
encoded as Opus. So is one whose channels would cancel when the endpoint mixes them, and one with a speaker on each
channel: then each channel by itself.
"""

import asyncio
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, BinaryIO, cast

import aiohttp
import av
import orjson

from adapters.audio.container import Container
from adapters.audio.decoding import SAMPLE_RATE, file_of
from adapters.audio.survey import survey
from adapters.speech.cutting import Span, pieces
from adapters.speech.port import EngineRefused, EngineUnavailable, OpenAudio
from adapters.speech.transcript import Transcript, TranscriptSegment, segment_of
from adapters.speech.voices import Voices, voices_of
from domain.languages import primary_language

_CONNECT_TIMEOUT_SECONDS = 10.0
_LARGEST_ANSWER_BYTES = 64_000_000
_LONGEST_SHOWN = 200
_OPUS_BITS_PER_SECOND = 32_000
_LONGEST_PIECE_SECONDS = 600
_WORTH_ANOTHER_TRY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}

# Endpoints go by the file name's suffix.
_FILE_NAMES = {
    Container.OGG: "recording.ogg",
    Container.WAV: "recording.wav",
    Container.FLAC: "recording.flac",
    Container.MP3: "recording.mp3",
    Container.MP4: "recording.m4a",
    Container.MATROSKA: "recording.webm",
}


@dataclass(frozen=True, slots=True)
class _Upload:
    file: BinaryIO
    name: str
    start_seconds: float
    end_seconds: float


class OpenAIEngine:
    """One endpoint and one model there."""

    name = "openai"
    languages: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None,
        largest_upload_bytes: int = 25_000_000,
        timeout_seconds: float = 600.0,
    ) -> None:
        self._url = base_url.rstrip("/") + "/audio/transcriptions"
        self._model = model
        self._api_key = api_key
        self._largest_upload_bytes = largest_upload_bytes
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=_CONNECT_TIMEOUT_SECONDS)

    @property
    def provider(self) -> str | None:
        return "whisper" if "whisper" in self._model.lower() else None

    def load(self) -> None:
        """Do nothing: the endpoint has the model."""

    def transcribe(self, open_audio: OpenAudio, *, language: str) -> Transcript:
        """The endpoint's segments, or one per piece if it returns only text. See `SpeechEngine` for what it raises."""
        voices = voices_of(open_audio)
        segments: list[list[TranscriptSegment]] = []
        duration_seconds = 0.0
        for uploads in self._uploads(open_audio, voices):
            segments.append([])
            for upload in uploads:
                with upload.file:
                    answer = asyncio.run(self._post(upload, language))
                segments[-1] += self._segments(answer, upload)
                duration_seconds = max(duration_seconds, upload.end_seconds)
        return Transcript.of_segments(
            voices.named(segments),
            language=language,
            engine=self.name,
            provider=self.provider,
            duration_ms=round(duration_seconds * 1000),
        )

    def _uploads(self, open_audio: OpenAudio, voices: Voices) -> Iterator[Iterable[_Upload]]:
        """What to send for each voice."""
        if voices.is_plain and (whole := self._as_it_is(open_audio)):
            yield [whole]
            return
        # A tenth less than fits, as Ogg adds bytes and Opus varies its rate.
        fitting_seconds = self._largest_upload_bytes * 8 * 9 // 10 // _OPUS_BITS_PER_SECOND
        longest_seconds = max(1, min(_LONGEST_PIECE_SECONDS, fitting_seconds))
        for voice in voices.voices:
            spans = pieces(voice.blocks(), longest_seconds=longest_seconds)
            yield (_Upload(_as_opus(span), "piece.ogg", span.start_seconds, span.end_seconds) for span in spans)

    def _as_it_is(self, open_audio: OpenAudio) -> _Upload | None:
        """The recording itself, if the endpoint takes it, and whoever plays it hears all that is heard here."""
        file = file_of(open_audio)
        if file.container not in _FILE_NAMES or file.run.size_bytes > self._largest_upload_bytes:
            return None
        found = survey(file)
        return _Upload(open_audio(), _FILE_NAMES[file.container], 0.0, float(found.seconds)) if found.is_plain else None

    async def _post(self, upload: _Upload, language: str) -> dict[str, Any]:
        form = aiohttp.FormData()
        form.add_field("model", self._model)
        form.add_field("response_format", "verbose_json")
        form.add_field("timestamp_granularities[]", "segment")
        form.add_field("language", primary_language(language))  # endpoints know ISO 639-1 only
        form.add_field("file", upload.file, filename=upload.name, content_type="application/octet-stream")
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        try:
            # Redirects are not followed: they could send the key and the recording anywhere.
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.post(self._url, data=form, headers=headers, allow_redirects=False) as response,
            ):
                body = await _body(response)
                status = response.status
        except TimeoutError as error:
            raise EngineUnavailable(self.name, "it did not answer in time") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise EngineUnavailable(self.name, f"the connection failed ({type(error).__name__})") from error
        return self._answer(status, body)

    def _answer(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        if status == HTTPStatus.OK:
            if isinstance(answer, dict) and isinstance(answer.get("text"), str):
                return answer
            raise EngineUnavailable(self.name, "its answer is not a transcription")
        detail = f"it answered {status}{self._message(answer)}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY:
            raise EngineUnavailable(self.name, detail)
        raise EngineRefused(self.name, detail)

    def _segments(self, answer: dict[str, Any], upload: _Upload) -> list[TranscriptSegment]:
        try:
            return _segments_of(answer, upload)
        except (TypeError, KeyError, ValueError) as error:
            raise EngineUnavailable(self.name, "its answer is not a transcription") from error

    def _message(self, answer: Any) -> str:
        error = answer.get("error") if isinstance(answer, dict) else None
        message = error.get("message") if isinstance(error, dict) else error
        if not isinstance(message, str):
            return ""
        # Some servers repeat a wrong key in their error message.
        hidden = message.replace(self._api_key, "…") if self._api_key else message
        return f", {' '.join(hidden.split())[:_LONGEST_SHOWN]}".rstrip(".")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for block in response.content.iter_any():
        body += block
        if len(body) > _LARGEST_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("an answer larger than any transcript")
    return bytes(body)


def _segments_of(answer: dict[str, Any], upload: _Upload) -> list[TranscriptSegment]:
    reported = answer.get("segments") or [
        {"start": 0, "end": upload.end_seconds - upload.start_seconds, "text": answer["text"]}
    ]
    segments = (
        segment_of(
            start=upload.start_seconds + float(segment["start"]),
            end=upload.start_seconds + float(segment["end"]),
            text=str(segment["text"]),
            confidence=_confidence(segment),
        )
        for segment in reported
    )
    return [segment for segment in segments if segment is not None]


def _confidence(segment: dict[str, Any]) -> float | None:
    """From the mean log probability of the segment's tokens, if the endpoint gives it."""
    log_probability = segment.get("avg_logprob")
    return math.exp(min(0.0, log_probability)) if isinstance(log_probability, int | float) else None


def _as_opus(piece: Span) -> BinaryIO:
    file = io.BytesIO()
    with av.open(file, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, options={"application": "voip"})
        stream.codec_context.bit_rate = _OPUS_BITS_PER_SECOND
        stream.codec_context.layout = "mono"
        frame = av.AudioFrame.from_ndarray(piece.samples.reshape(1, -1), "s16", "mono")
        frame.rate, frame.pts = SAMPLE_RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    return cast(BinaryIO, file)

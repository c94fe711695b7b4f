"""What honest clients record: the project's own speech sample, as a file and as samples."""

import io
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import orjson
from numpy.typing import NDArray

from tests.end_to_end.dorsum_client import CHUNK
from tests.end_to_end.service_process import SAMPLE, short_speech

SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Speech:
    """A file with its codec, and the same speech as the chunks of a Dorsum session, in JSON. `words` and
    `session_words`: what is heard in either, once that is known."""

    body: bytes
    codec: str
    session: tuple[bytes, ...]
    words: str | None = None
    session_words: str | None = None


def whole_sample() -> Speech:
    return _speech(SAMPLE.read_bytes(), "opus")


def three_seconds() -> Speech:
    return _speech(short_speech(), "wav")


def _speech(body: bytes, codec: str) -> Speech:
    heard = samples_of(body)
    chunks = (heard[start : start + CHUNK] for start in range(0, len(heard), CHUNK))
    return Speech(body, codec, tuple(orjson.dumps(chunk, option=orjson.OPT_SERIALIZE_NUMPY) for chunk in chunks))


def samples_of(body: bytes) -> NDArray[np.int16]:
    """16 kHz mono, as Dorsum's clients send them."""
    with av.open(io.BytesIO(body)) as container:
        resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
        frames: list[Any] = [each for frame in container.decode(audio=0) for each in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])

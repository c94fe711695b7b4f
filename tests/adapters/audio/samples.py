"""Audio made for tests: tones and noise in every format that is read, so that nothing has to be stored or installed."""

import io
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, BinaryIO, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream

from adapters.audio import ogg
from adapters.audio.chunk_bytes import OpenChunk

Samples = npt.NDArray[np.int16]

# What is made, as "container codec": FFmpeg's muxer and encoder.
OGG_OPUS = "ogg libopus"
OGG_VORBIS = "ogg vorbis"
OGG_FLAC = "ogg flac"
WAV = "wav pcm_s16le"
WAV_24 = "wav pcm_s24le"
FLAC = "flac flac"
MP3 = "mp3 libmp3lame"
ADTS = "adts aac"
M4A = "ipod aac"
WEBM = "webm libopus"
EVERY_FORMAT = (OGG_OPUS, OGG_VORBIS, OGG_FLAC, WAV, WAV_24, FLAC, MP3, ADTS, M4A, WEBM)


def opener(content: bytes) -> OpenChunk:
    def open_chunk() -> BinaryIO:
        return io.BytesIO(content)

    return open_chunk


def openers(contents: Sequence[bytes]) -> list[OpenChunk]:
    return [opener(content) for content in contents]


def cut(content: bytes, *positions: int) -> list[bytes]:
    """The content cut at these positions; no piece is empty."""
    edges = [0, *sorted({position for position in positions if 0 < position < len(content)}), len(content)]
    return [content[start:stop] for start, stop in pairwise(edges)]


def tone(samples: int, *, rate: int = 48_000, hertz: float = 440.0, channels: int = 1) -> Samples:
    """A tone with some noise, as (channels, samples); the noise makes every stretch of it unlike every other."""
    noise = np.random.default_rng(samples).normal(0, 300, (channels, samples))
    wave = 8000 * np.sin(2 * np.pi * hertz * np.arange(samples) / rate)
    return (wave + noise).astype(np.int16)


def encoded(
    kind: str,
    sound: Samples,
    *,
    rate: int = 48_000,
    muxer_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    can_seek: bool = True,
) -> bytes:
    """A file with this sound. Without `can_seek` it is as a live recorder writes it, its sizes never filled in."""
    muxer, codec = kind.split()
    file = io.BytesIO() if can_seek else _Pipe()
    with av.open(file, "w", format=muxer, options=muxer_options) as container:
        container.metadata.update(metadata or {})
        stream = cast(AudioStream, container.add_stream(codec, rate=rate))
        context = stream.codec_context
        context.layout = layout = "mono" if sound.shape[0] == 1 and codec != "vorbis" else "stereo"
        context.options = {"strict": "experimental"}
        source = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound.T).reshape(1, -1), "s16", "mono" if sound.shape[0] == 1 else "stereo"
        )
        source.rate = rate
        source.pts = 0
        resampler = av.AudioResampler(context.format, layout, rate)
        for frame in [*resampler.resample(source), *resampler.resample(None)]:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def wav(sound: Samples, *, rate: int = 16_000) -> bytes:
    """A WAV file as the simplest recorder writes it."""
    data = np.ascontiguousarray(sound.T).tobytes()
    channels = sound.shape[0]
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    size = struct.pack("<I", 36 + len(data))
    return b"RIFF" + size + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data


def decoded(content: bytes) -> Samples:
    """What a player that knows nothing of this project makes of a file, as (channels, samples)."""
    with av.open(io.BytesIO(content), "r") as container:
        frames: list[npt.NDArray[Any]] = [frame.to_ndarray() for frame in container.decode(audio=0)]
        channels = container.streams.audio[0].channels
    if not frames:
        return np.zeros((channels, 0), np.int16)
    joined: npt.NDArray[Any] = np.concatenate(frames, axis=1)
    if joined.shape[0] != channels:
        joined = joined.reshape(-1, channels).T
    if joined.dtype.kind == "f":
        joined = np.round(joined * 32768).clip(-32768, 32767)
    elif joined.dtype == np.int32:
        joined = joined >> 16
    return joined.astype(np.int16)


def decoded_samples(content: bytes) -> int:
    return int(decoded(content).shape[1])


class _Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation("a pipe has no positions")


def ogg_pages(content: bytes) -> list[tuple[float, bytes]]:
    """The pages of a file in Ogg Opus, each with the second of the sound at which it ends: as they come while it is
    recorded."""
    pages = ogg.pages(io.BytesIO(content))
    return [(page.granule / 48_000, content[page.position : page.end]) for page in pages]

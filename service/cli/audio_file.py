"""What must be known about an audio file before it is uploaded: its codec and its length."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer

from service.client import ClientFailure

CODECS = ("opus", "ogg", "wav", "flac", "mp3", "aac", "m4a", "webm")
_BY_SUFFIX = {f".{codec}": codec for codec in CODECS} | {".oga": "ogg", ".wave": "wav", ".mp4": "m4a", ".weba": "webm"}
_BY_CONTAINER = {"mov": "m4a", "matroska": "webm", "ogg": "ogg", "wav": "wav", "w64": "wav", "flac": "flac"}
_ANY = "m4a"


def codec_of(path: Path) -> str:
    """Name what a file is announced as: by its suffix, or else by what is in it. The service goes by the bytes alone.

    Raises: ClientFailure when FFmpeg finds no audio in it.
    """
    return _BY_SUFFIX.get(path.suffix.lower()) or _by_content(path)


def _by_content(path: Path) -> str:
    with _opened(path) as container:
        of_container = _BY_CONTAINER.get(container.format.name.partition(",")[0])
        codec = container.streams.audio[0].codec_context.name
    return of_container or next((name for name in CODECS if codec.startswith(name)), _ANY)


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """Open a file with audio in it. Raises: ClientFailure."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ClientFailure(f"{path} has no audio in it.")
            yield container
    except av.FFmpegError as error:
        raise ClientFailure(f"{path} cannot be read as audio: {error.strerror or type(error).__name__}.") from error


def duration_ms(path: Path) -> int:
    """Measure how long a file's audio is, in milliseconds, at least 1.

    Packets are counted, without decoding any: the length in the header is absent in a live WebM and a guess in an
    MP3 or AAC without an index. Raises: ClientFailure when FFmpeg finds no audio in it.
    """
    with _opened(path) as container:
        stream = container.streams.audio[0]
        counted = sum(packet.duration or 0 for packet in container.demux(stream))
        seconds = counted * float(stream.time_base) if stream.time_base else 0.0
        if seconds <= 0 and container.duration:
            seconds = container.duration / av.time_base
    if seconds <= 0:
        raise ClientFailure(f"The length of {path} cannot be measured; give --duration in seconds.")
    return max(round(seconds * 1000), 1)

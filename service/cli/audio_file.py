"""What must be known about an audio file before it is uploaded: its codec and its length."""

from pathlib import Path

import av

from service.client import ClientFailure

CODECS = ("opus", "ogg", "wav", "flac", "mp3", "aac", "m4a", "webm")
_BY_SUFFIX = {f".{codec}": codec for codec in CODECS} | {".oga": "ogg", ".wave": "wav", ".mp4": "m4a", ".weba": "webm"}


def codec_of(path: Path) -> str:
    """Name a file's codec by its suffix. Raises: ClientFailure when the suffix is unknown."""
    codec = _BY_SUFFIX.get(path.suffix.lower())
    if codec is None:
        raise ClientFailure(f"{path.name} has no suffix that tells its codec; give --codec ({', '.join(CODECS)}).")
    return codec


def duration_ms(path: Path) -> int:
    """Measure how long a file's audio is, in milliseconds, at least 1.

    Packets are counted, without decoding any: the length in the header is absent in a live WebM and a guess in an
    MP3 or AAC without an index. Raises: ClientFailure when FFmpeg finds no audio in it.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ClientFailure(f"{path} has no audio in it.")
            stream = container.streams.audio[0]
            counted = sum(packet.duration or 0 for packet in container.demux(stream))
            seconds = counted * float(stream.time_base) if stream.time_base else 0.0
            if seconds <= 0 and container.duration:
                seconds = container.duration / av.time_base
    except av.FFmpegError as error:
        raise ClientFailure(f"{path} cannot be read as audio: {error.strerror or type(error).__name__}.") from error
    if seconds <= 0:
        raise ClientFailure(f"The length of {path} cannot be measured; give --duration in seconds.")
    return max(round(seconds * 1000), 1)

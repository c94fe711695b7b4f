"""Why audio cannot be stitched or decoded: errors in the bytes themselves, so trying again cannot help.

Trouble with the machine (a full disk, an unreadable file) is never one of these: it stays an `OSError`.
"""

from datetime import timedelta
from typing import ClassVar


class AudioError(Exception):
    """The audio is at fault. `reason` is a code for programs, `str(error)` one sentence for people.

    The fields are also the exception's `args`, so that it reaches another process whole.
    """

    reason: ClassVar[str]


class _ChunkError(AudioError):
    def __init__(self, chunk_number: int | None, detail: str) -> None:
        """`chunk_number` counts from 1; None means the audio as a whole. `detail` completes the sentence."""
        super().__init__(chunk_number, detail)
        self.chunk_number = chunk_number
        self.detail = detail

    def __str__(self) -> str:
        subject = "The audio" if self.chunk_number is None else f"Chunk {self.chunk_number}"
        return f"{subject} {self.detail}."


class NotAudio(_ChunkError):
    """Bytes that are not audio at all, or audio too damaged to be recognized."""

    reason = "not_audio"


class UnsupportedAudio(_ChunkError):
    """A recording of a kind this service does not read, or one without a sound track."""

    reason = "unsupported_audio"


class TooLong(AudioError):
    """The recording lasts longer than is accepted, or says that it does."""

    reason = "recording_too_long"

    def __init__(self, longest: timedelta) -> None:
        super().__init__(longest)
        self.longest = longest

    def __str__(self) -> str:
        hours = self.longest / timedelta(hours=1)
        return f"The recording lasts longer than {hours:g} h, which is the longest that is accepted."


class ChecksumMismatch(AudioError):
    """The chunks' bytes, concatenated, do not have the MD5 declared for the recording. Both in hex."""

    reason = "integrity_failure"

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(expected, actual)
        self.expected = expected
        self.actual = actual

    def __str__(self) -> str:
        return f"The chunks together have the MD5 {self.actual}, not {self.expected} as declared."

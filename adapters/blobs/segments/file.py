"""One segment that is being written: appended to by one thread, synced by any; durable up to `synced_end`.

A failed fdatasync ends its use permanently: the kernel may call lost pages clean, so a second one would succeed and
mean nothing. What had been synced before stays, the rest is cut off.
"""

import errno
import fcntl
import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from adapters.blobs.segments.format import FILE_HEADER
from adapters.durable_files import FILE_MODE, sync_directory

SUFFIX = ".segment"
_BUFFERS_A_CALL = 512  # below Linux's IOV_MAX
_RANDOM_BITS = 62  # an id is never reused, so that a place read from an index long ago never means other bytes


def segment_path(directory: Path, segment: int) -> Path:
    return directory / f"{segment:016x}{SUFFIX}"


def segments_in(directory: Path) -> list[int]:
    with suppress(FileNotFoundError):
        return [int(path.name.removesuffix(SUFFIX), 16) for path in directory.iterdir() if path.suffix == SUFFIX]
    return []


def is_locked(descriptor: int) -> bool:
    """Whether another opening is writing to the segment. If not, this descriptor holds the lock from now on."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


class WritableSegment:
    """All methods raise OSError if the disk does."""

    def __init__(self, directory: Path, *, step_bytes: int) -> None:
        """Make a new one. Disk space is allocated `step_bytes` at a time, ahead of what is written."""
        self.id, self.descriptor = _made_and_locked(directory)
        self.path = segment_path(directory, self.id)
        self.end = self.synced_end = len(FILE_HEADER)
        self.failure: OSError | None = None
        self.is_retired = False
        self._step_bytes = step_bytes
        self._reserved_end = 0
        self._appending = threading.Lock()
        self._syncing = threading.Lock()
        try:
            self._reserve(self.end)
            _write_all(self.descriptor, [FILE_HEADER], 0)
            os.fsync(self.descriptor)
            sync_directory(directory)
        except BaseException:
            self.close()
            with suppress(OSError):
                self.path.unlink()
            raise

    def append(self, buffers: Sequence[bytes], size_bytes: int) -> int:
        """Write after what is there; returns the offset. Not durable yet.

        After a half-finished write the segment accepts no more: its remains would lie after a later record.
        """
        with self._appending:
            if self.failure is not None:
                raise self.failure
            offset = self.end
            self._reserve(offset + size_bytes)
            try:
                _write_all(self.descriptor, buffers, offset)
            except OSError:
                self.is_retired = True
                raise
            self.end = offset + size_bytes
            return offset

    def _reserve(self, end: int) -> None:
        if end <= self._reserved_end:
            return
        try:
            self._allocate(max(end, self._reserved_end + self._step_bytes))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self._allocate(end)  # a nearly full disk still has room for small bodies

    def _allocate(self, end: int) -> None:
        try:
            os.posix_fallocate(self.descriptor, self._reserved_end, end - self._reserved_end)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise  # otherwise it only speeds up appending
        self._reserved_end = end

    def sync(self) -> None:
        """Make everything appended so far durable. Simultaneous calls share one fdatasync.

        Raises: the OSError that ended this segment's use, now or earlier.
        """
        reached = self.end
        with self._syncing:
            if self.synced_end >= reached:
                return
            if self.failure is not None:
                raise self.failure
            reached = self.end
            try:
                os.fdatasync(self.descriptor)
            except OSError as error:
                self.failure = error
                self.is_retired = True
                raise
            self.synced_end = reached

    def cut(self) -> None:
        """Release what lies after the last valid record. Nothing may be appended any more."""
        with self._appending:
            self.is_retired = True
            os.ftruncate(self.descriptor, self.synced_end if self.failure else self.end)
            os.fsync(self.descriptor)

    def close(self) -> None:
        with self._appending, self._syncing:
            descriptor, self.descriptor = self.descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)


def _made_and_locked(directory: Path) -> tuple[int, int]:
    """The id and the descriptor of a new, empty segment.

    A recovery that found it before it was locked has removed it: nobody would find what is written there.
    """
    while True:
        segment = secrets.randbits(_RANDOM_BITS)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(segment_path(directory, segment), flags, FILE_MODE)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return segment, descriptor
        os.close(descriptor)


def _write_all(descriptor: int, buffers: Iterable[bytes], offset: int) -> None:
    left = [buffer for buffer in buffers if buffer]
    while left:
        written = os.pwritev(descriptor, left[:_BUFFERS_A_CALL], offset)
        offset += written
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]

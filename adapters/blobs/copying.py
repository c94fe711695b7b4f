"""Copies an opened blob into a file: inside the kernel if both are real files, else block by block."""

import errno
import io
import os
from collections.abc import Callable
from typing import BinaryIO

from adapters.blobs.segments.reading import BlobInSegment

_BLOCK_BYTES = 512 * 1024
_CANNOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM)

CopyInKernel = Callable[[int, int, int, int, int], int]
"""(source, its offset, target, its offset, at most so many bytes) -> bytes copied."""


def copy_blob(reader: BinaryIO, output: BinaryIO) -> int:
    """Append an opened blob to `output` at its current position; returns how many bytes. Raises OSError.

    Raises: BlobNotFound if it is erased meanwhile, rather than leave zeros in the output.
    """
    reader.seek(0)
    raw = getattr(reader, "raw", None)
    if isinstance(raw, BlobInSegment):
        copied = _in_kernel(raw.fileno(), raw.start, raw.size_bytes, output)
        raw.check_not_erased()
    elif isinstance(raw, io.FileIO):
        copied = _in_kernel(raw.fileno(), 0, os.fstat(raw.fileno()).st_size, output)
    else:
        copied = 0
    reader.seek(copied)
    while block := reader.read(_BLOCK_BYTES):
        output.write(block)
        copied += len(block)
    return copied


def _in_kernel(source: int, start: int, size_bytes: int, output: BinaryIO) -> int:
    """Copy as many bytes as the kernel can; the caller copies the rest."""
    output.flush()
    begin, copied = output.tell(), 0
    ways: list[CopyInKernel] = []
    if hasattr(os, "copy_file_range"):
        ways.append(lambda fd, at, to, to_at, count: os.copy_file_range(fd, to, count, at, to_at))
    if hasattr(os, "sendfile"):
        ways.append(_send)
    for copy in ways:
        try:
            while copied < size_bytes:
                count = copy(source, start + copied, output.fileno(), begin + copied, size_bytes - copied)
                if count == 0:
                    break
                copied += count
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
    output.seek(begin + copied)
    return copied


def _send(source: int, start: int, target: int, target_start: int, count: int) -> int:
    os.lseek(target, target_start, os.SEEK_SET)  # sendfile writes at the file's own position
    return os.sendfile(target, source, start, count)

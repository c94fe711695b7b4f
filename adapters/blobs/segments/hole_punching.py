"""Removes bytes in the middle of a file: gives them back to the file system if it can do that, else overwrites them."""

import ctypes
import errno
import os
from collections.abc import Callable
from functools import cache

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_CANNOT = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_ZEROS = bytes(256 * 1024)


def punch(descriptor: int, start: int, end: int) -> None:
    """Afterwards the range reads as zeros; durable only after a sync. Raises OSError."""
    fallocate = _fallocate()
    if end <= start:
        return
    if fallocate is not None:
        if fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, start, end - start) == 0:
            return
        number = ctypes.get_errno()
        if number not in _CANNOT:
            raise OSError(number, os.strerror(number))
    while start < end:
        start += os.pwrite(descriptor, _ZEROS[: end - start], start)


@cache
def _fallocate() -> Callable[[int, int, int, int], int] | None:
    """Linux's fallocate(2), which Python offers only without its modes."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    call: Callable[[int, int, int, int], int] = function
    return call

"""How much memory a process has in use, and limits on it. Linux only: on other systems nothing is known or limited.

"In use" is what is resident or swapped out: what is only reserved costs no other process anything.
"""

import ctypes
import gc
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

MEBIBYTE = 1 << 20

_OWN_STATUS = Path("/proc/self/status")


def in_use_bytes(pid: int) -> int | None:
    """What the process has in use now; None if it has ended."""
    return _kilobytes(Path(f"/proc/{pid}/status"), ("VmRSS", "VmSwap"))


def own_peak_bytes(status: Path = _OWN_STATUS) -> int | None:
    """The most that this process is known to have had in use at once. `status`: what the system says of it.

    What is swapped out now was perhaps resident at the peak, so the two are not added up.
    """
    known = _kilobytes(status, ("VmHWM",)), _kilobytes(status, ("VmRSS", "VmSwap"))
    return max((each for each in known if each is not None), default=None)


def _kilobytes(path: Path, names: tuple[str, ...]) -> int | None:
    try:
        status = path.read_text(encoding="ascii", errors="replace")
    except OSError:  # no such process any more, or a system without /proc
        return None
    found = [re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE) for name in names]
    counted = [int(each[1]) * 1024 for each in found if each is not None]
    return sum(counted) if counted else None  # a process that has ended, but was not waited for, has none of them


def limit_own_memory(more_bytes: int) -> None:
    """Have the system refuse this process more than `more_bytes` beyond what it has reserved now: a MemoryError.

    A limit that the process has from outside stays, if it is lower.
    """
    reserved = _kilobytes(_OWN_STATUS, ("VmData",))
    if reserved is None or not sys.platform.startswith("linux"):
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    largest = sys.maxsize if most == resource.RLIM_INFINITY else most  # "infinity" is -1: less than any number
    resource.setrlimit(resource.RLIMIT_DATA, (min(reserved + more_bytes, largest), most))


def give_back_memory() -> None:
    """Free what this process does not need: Python keeps cycles for a while, and glibc keeps what was freed."""
    gc.collect()
    with suppress(OSError, AttributeError):  # a C library without it
        ctypes.CDLL(None).malloc_trim(0)

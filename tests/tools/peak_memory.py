"""The peak resident memory of a process, from Linux's /proc.

Not `ru_maxrss`: a process starts with its parent's, and growth shows only beyond that.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import psutil

MEBIBYTE = 1024 * 1024


def peak_bytes(pid: int | str = "self") -> int:
    """The most resident memory that the process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, status
    return int(found[1]) * 1024


def peak_bytes_of(processes: Iterable[psutil.Process]) -> int:
    """The most that each of them ever had, together."""
    return sum(peak_bytes(process.pid) for process in processes)


def resident_bytes(pid: int | str = "self") -> int:
    """What is in memory of it now."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, status
    return int(found[1]) * 1024


def resident_bytes_of(processes: Iterable[psutil.Process]) -> int:
    """What is in memory of them now, together."""
    return sum(resident_bytes(process.pid) for process in processes)

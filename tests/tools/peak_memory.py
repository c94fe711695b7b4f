"""The peak resident memory of a process, from Linux's /proc.

Not `ru_maxrss`: a process starts with its parent's, and growth shows only beyond that.
"""

import re
from pathlib import Path

MEBIBYTE = 1024 * 1024


def peak_bytes(pid: int | str = "self") -> int:
    """The most resident memory that the process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, status
    return int(found[1]) * 1024


def resident_bytes(pid: int | str = "self") -> int:
    """What is in memory of it now."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, status
    return int(found[1]) * 1024

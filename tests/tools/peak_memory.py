"""The largest resident memory of a process, from /proc: Linux.

Not `ru_maxrss`: a process begins with its parent's, and would have to grow past that to be seen growing.
"""

import re
from pathlib import Path

MEBIBYTE = 1024 * 1024


def peak_bytes(pid: int | str = "self") -> int:
    """The largest resident memory that the process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, status
    return int(found[1]) * 1024

"""What the disk itself can do: bodies of one size appended to one file, an fdatasync after every few."""

import os
import time
from pathlib import Path


def appended_a_second(folder: Path, *, size_bytes: int, at_a_time: int, seconds: float) -> float:
    path = folder / "appended"
    body, count = os.urandom(size_bytes), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            os.writev(descriptor, [body] * at_a_time)
            os.fdatasync(descriptor)
            count += at_a_time
        return count / passed
    finally:
        os.close(descriptor)
        path.unlink()

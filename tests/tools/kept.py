"""What is made or fetched once for tests, and kept in a folder of the repository."""

import fcntl
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path


def kept(folder: Path, sources: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """The path in the folder of what `make` makes of the sources, as they are now: made first, unless it is there.

    `make` gets another path to make it at, which may have what an earlier try has left. Raises: what it raises.
    """
    version = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    made = folder / version
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:  # the tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            unfinished = folder / f"{version}.part"
            make(unfinished)
            unfinished.rename(made)
    return made

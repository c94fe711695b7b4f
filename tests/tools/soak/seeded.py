"""What the soaks share whose faults are chosen by a seed."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Found(Protocol):
    """`wrong`: a sentence each. `lines`: what is told besides."""

    @property
    def wrong(self) -> Sequence[str]: ...

    def lines(self) -> Iterator[str]: ...


def run_seeded(name: str, seed: int | None, keep: Path | None, soak: Callable[[Path, int], Found]) -> int:
    """Run the soak in a folder, with a new seed unless one is given, and tell what it found. Gives the exit code.

    `keep`: a new folder, which is kept.
    """
    seed = random.SystemRandom().randrange(10_000) if seed is None else seed
    started = time.perf_counter()
    tell(f"seed {seed}")
    with _folder(name, keep) as folder:
        found = soak(folder, seed)
    print("\n".join(found.lines()))
    for wrong in found.wrong:
        print(f"WRONG  {wrong}")
    print(f"seed {seed}: {len(found.wrong) or 'nothing'} wrong; {time.perf_counter() - started:.0f} s")
    return 1 if found.wrong else 0


@contextmanager
def _folder(name: str, keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
        yield Path(folder)


def tell(progress: str) -> None:
    print(progress, flush=True)

"""`make soak-abuse`: half an hour of honest clients beside hostile ones; ARGS="--minutes 2" for less."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.tools.soak.abuse import __doc__ as about
from tests.tools.soak.abuse.attacks import BY_NAME
from tests.tools.soak.abuse.soak import Size, soak

MINUTES = 30
CLIENTS = 16
_SHORT_MINUTES = 10
"""Below this the honest clients say less, so that each of them is heard a few times."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make soak-abuse", description=about)
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"of attacks, {MINUTES} unless given")
    parser.add_argument("--clients", type=int, default=CLIENTS, help=f"honest ones, {CLIENTS} unless given")
    parser.add_argument("--attack", action="append", choices=list(BY_NAME), help="only this; can be given repeatedly")
    asked = parser.parse_args(arguments)
    is_short = asked.minutes < _SHORT_MINUTES
    size = Size(asked.minutes * 60, asked.clients, whole_sample=not is_short, rounds_alone=1 if is_short else 2)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="soak-abuse-") as folder:
        found = asyncio.run(soak(Path(folder), size, asked.attack or list(BY_NAME), tell=_tell))
        faults = found.faults()
        print("\n".join(found.lines()))
    for fault in faults:
        print(f"FAULT  {fault}")
    print(f"{found.closing_line()}; {time.perf_counter() - started:.0f} s")
    return 1 if faults else 0


def _tell(progress: str) -> None:
    print(progress, flush=True)


if __name__ == "__main__":
    sys.exit(main())

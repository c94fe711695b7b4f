"""`make soak-cluster`: 300 faults done to a cluster under load; ARGS="--faults 20 --seed 7" for less."""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.tools.soak.cluster import __doc__ as about
from tests.tools.soak.cluster.soak import CLIENTS, Soak

FAULTS = 300
HOSTS = 3


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make soak-cluster", description=about)
    parser.add_argument("--faults", type=int, default=FAULTS, help=f"{FAULTS} unless given")
    parser.add_argument("--seed", type=int, help="of the faults, and of what clients do; a new one unless given")
    parser.add_argument("--clients", type=int, default=CLIENTS, help=f"{CLIENTS} unless given")
    parser.add_argument("--hosts", type=int, default=HOSTS, help=f"that serve; {HOSTS} unless given")
    parser.add_argument("--keep", type=Path, help="a new folder for what is stored and logged; kept")
    asked = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10_000) if asked.seed is None else asked.seed
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # also when a shell runs it in the background: its servers end with it
        signal.signal(number, signal.default_int_handler)
    started = time.perf_counter()
    _tell(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="soak-cluster-") as folder:
        if asked.keep is not None:
            asked.keep.mkdir(parents=True)
        soak = Soak(asked.keep or Path(folder), faults=asked.faults, seed=seed, hosts=asked.hosts, tell=_tell)
        found = asyncio.run(soak.run(clients=asked.clients))
    print("\n".join(found.lines()))
    for wrong in found.wrong:
        print(f"WRONG  {wrong}")
    print(f"seed {seed}: {len(found.wrong) or 'nothing'} wrong; {time.perf_counter() - started:.0f} s")
    return 1 if found.wrong else 0


def _tell(progress: str) -> None:
    print(progress, flush=True)


if __name__ == "__main__":
    sys.exit(main())

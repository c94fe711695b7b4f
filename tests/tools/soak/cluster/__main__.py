"""`make soak-cluster`: 300 faults done to a cluster under load; ARGS="--faults 20 --seed 7" for less."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tests.tools.release_before import code_of, release_before
from tests.tools.soak.cluster import __doc__ as about
from tests.tools.soak.cluster.soak import CLIENTS, Found, Soak
from tests.tools.soak.seeded import run_seeded, tell

FAULTS = 300
HOSTS = 3


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make soak-cluster", description=about)
    parser.add_argument("--faults", type=int, default=FAULTS, help=f"{FAULTS} unless given")
    parser.add_argument("--seed", type=int, help="of the faults, and of what clients do; a new one unless given")
    parser.add_argument("--clients", type=int, default=CLIENTS, help=f"{CLIENTS} unless given")
    parser.add_argument("--hosts", type=int, default=HOSTS, help=f"that serve; {HOSTS} unless given")
    parser.add_argument("--keep", type=Path, help="a new folder for what is stored and logged; kept")
    parser.add_argument(
        "--upgrade", action="store_true", help="from the release before, one process after another, and once back"
    )
    asked = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell ignores them: its servers end with it
        signal.signal(number, signal.default_int_handler)

    def soak(folder: Path, seed: int) -> Found:
        before = code_of(release_before(), folder / "release-before") if asked.upgrade else None
        of_cluster = Soak(folder, faults=asked.faults, seed=seed, hosts=asked.hosts, tell=tell, before=before)
        return asyncio.run(of_cluster.run(clients=asked.clients))

    return run_seeded("soak-cluster", asked.seed, asked.keep, soak)


if __name__ == "__main__":
    sys.exit(main())

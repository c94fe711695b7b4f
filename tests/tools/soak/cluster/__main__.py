"""`make soak-cluster`: 300 faults done to a cluster under load; ARGS="--faults 20 --seed 7" for less."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tests.tools.previous_release import NoHistory, code_of, previous_release
from tests.tools.soak.cluster import __doc__ as about
from tests.tools.soak.cluster.soak import CLIENTS, Found, Soak
from tests.tools.soak.cluster.upgrade import FEWEST_HOSTS
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
        "--upgrade",
        action="store_true",
        help="one process after another from the previous release to this one, back, and again",
    )
    asked = parser.parse_args(arguments)
    if asked.upgrade and asked.hosts < FEWEST_HOSTS:
        parser.error(f"--upgrade needs {FEWEST_HOSTS} hosts or more")
    try:
        commit = previous_release() if asked.upgrade else None
    except NoHistory as error:
        parser.error(str(error))
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell ignores them: its servers end with it
        signal.signal(number, signal.default_int_handler)

    def soak(folder: Path, seed: int) -> Found:
        previous = None if commit is None else code_of(commit, folder / "previous-release")
        of_cluster = Soak(folder, faults=asked.faults, seed=seed, hosts=asked.hosts, tell=tell, previous=previous)
        return asyncio.run(of_cluster.run(clients=asked.clients))

    return run_seeded("soak-cluster", asked.seed, asked.keep, soak)


if __name__ == "__main__":
    sys.exit(main())

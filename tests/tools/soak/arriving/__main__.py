"""`make soak-arriving`: 300 faults while recordings arrive and are heard; ARGS="--faults 20 --seed 7" for less."""

import argparse
import asyncio
import sys
from pathlib import Path

from tests.tools.soak.arriving import __doc__ as about
from tests.tools.soak.arriving.soak import soak
from tests.tools.soak.seeded import run_seeded, tell

FAULTS = 300


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make soak-arriving", description=about)
    parser.add_argument("--faults", type=int, default=FAULTS, help=f"{FAULTS} unless given")
    parser.add_argument("--seed", type=int, help="of all that is chosen at random; a new one unless given")
    parser.add_argument("--keep", type=Path, help="a new folder for what the service stores and logs; kept")
    asked = parser.parse_args(arguments)
    return run_seeded(
        "soak-arriving",
        asked.seed,
        asked.keep,
        lambda folder, seed: asyncio.run(soak(folder, faults=asked.faults, seed=seed, tell=tell)),
    )


if __name__ == "__main__":
    sys.exit(main())

"""Programs for tests that Go builds from a module beside the code that runs them."""

import os
import subprocess
from pathlib import Path

BUILDING_SECONDS = 1_800


class NotBuilt(Exception):
    """With Go's own words."""


def sources_of(module: Path) -> list[Path]:
    """What a program is built from, in the folder of its module. `go.sum` has the digests of all else."""
    return [module / name for name in ("main.go", "go.mod", "go.sum")]


def build(go: str, module: Path, to: Path | str, *packages: str, linked: str = "-s -w") -> None:
    """Build the module in this folder, and further packages that it names. `linked`: flags for the linker.

    Raises: NotBuilt.
    """
    run(
        go,
        "build",
        "-buildvcs=false",
        f"-ldflags={linked}",
        "-o",
        str(to),
        *packages,
        ".",
        folder=module,
        CGO_ENABLED="0",
    )


def run(go: str, *arguments: str, folder: Path, **environment: str) -> None:
    """Run a command of Go that builds something. Raises: NotBuilt."""
    ran = subprocess.run(
        [go, *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILDING_SECONDS,
    )
    if ran.returncode != 0:
        raise NotBuilt(ran.stderr[-2000:])

"""The server's program: built once by Go and kept in `.gcs/`. `go.sum` has the digests of what it is built from."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.places import REPOSITORY

FOLDER = REPOSITORY / ".gcs"
BUILDING_SECONDS = 1_800

_SOURCES = [Path(__file__).with_name(name) for name in ("main.go", "go.mod", "go.sum")]


class NoGcs(Exception):
    """The server cannot run on this machine. One sentence that says what is missing."""


def program() -> Path:
    """The server's program. Raises: NoGcs."""
    go = shutil.which("go")
    if go is None:
        raise NoGcs("Go is missing: the command `go` builds fake-gcs-server (Debian: apt-get install golang).")
    version = hashlib.sha256(b"".join(source.read_bytes() for source in _SOURCES)).hexdigest()[:12]
    built = FOLDER / version
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:  # the tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.is_file():
            _build(go, built)
    return built


def _build(go: str, built: Path) -> None:
    unfinished = built.with_suffix(".part")
    ran = subprocess.run(
        [go, "build", "-buildvcs=false", "-ldflags=-s -w", "-o", unfinished, "."],
        cwd=Path(__file__).parent,
        env=os.environ | {"CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILDING_SECONDS,
    )
    if ran.returncode != 0:
        raise NoGcs(f"Go could not build fake-gcs-server: {ran.stderr[-2000:]}")
    unfinished.rename(built)

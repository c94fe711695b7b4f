"""The S3 server's program: built once by Go from its source and kept in `.s3/`."""

import fcntl
import re
import shutil
import subprocess
from pathlib import Path

from tests.places import REPOSITORY
from tests.tools import golang

MODULE, VERSION = "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"
FOLDER = REPOSITORY / ".s3"
OLDEST_GO = (1, 21)
"""From here on Go fetches the newer toolchain that a module asks for by itself."""


class NoS3(Exception):
    """The S3 server cannot run on this machine. One sentence that says what is missing."""


def program() -> Path:
    """The server's program. Raises: NoS3."""
    built = FOLDER / VERSION / "versitygw"
    if built.is_file():
        return built
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:  # the tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.is_file():
            _build(_go(), built)
    return built


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise NoS3("Go is missing: the command `go` builds the S3 server versitygw (Debian: apt-get install golang).")
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"go(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GO:
        raise NoS3(f"This Go is too old: versitygw needs Go 1.21 or later, and `go version` says: {said}")
    return go


def _build(go: str, built: Path) -> None:
    unfinished = FOLDER / f"{VERSION}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        golang.run(go, "install", f"{MODULE}@{VERSION}", folder=FOLDER, GOBIN=str(unfinished))
    except golang.NotBuilt as error:
        raise NoS3(f"Go could not build versitygw: {error}") from error
    unfinished.rename(built.parent)

"""The server's program: built once by Go and kept in `.gcs/`."""

import shutil
from pathlib import Path

from tests.places import REPOSITORY
from tests.tools import golang
from tests.tools.kept import kept

FOLDER = REPOSITORY / ".gcs"

_MODULE = Path(__file__).parent


class NoGcs(Exception):
    """The server cannot run on this machine. One sentence that says what is missing."""


def program() -> Path:
    """The server's program. Raises: NoGcs."""
    go = shutil.which("go")
    if go is None:
        raise NoGcs("Go is missing: the command `go` builds fake-gcs-server (Debian: apt-get install golang).")
    try:
        return kept(FOLDER, golang.sources_of(_MODULE), lambda unfinished: golang.build(go, _MODULE, unfinished))
    except golang.NotBuilt as error:
        raise NoGcs(f"Go could not build fake-gcs-server: {error}") from error

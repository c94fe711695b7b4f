"""The release before this one: its code, as it was committed."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.places import REPOSITORY

_VERSION = "^version = "
"""The line of pyproject.toml that a new release changes first. What was committed before that is the release before."""


class NoHistory(Exception):
    """The commits are not here. `str()` is a sentence."""


def release_before() -> str:
    """Its commit. Raises: NoHistory."""
    if not _has_history():
        raise NoHistory("The release before needs git and the history: a clone that is not a shallow one.")
    (raised,) = _git("log", "-1", "--format=%H", f"-G{_VERSION}", "--", "pyproject.toml").decode().split()
    return _git("rev-parse", f"{raised}^").decode().strip()


def code_of(commit: str, folder: Path) -> Path:
    """Write all files of the commit to a new folder, which is returned."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _has_history() -> bool:
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        return False
    return _git("rev-parse", "--is-shallow-repository").strip() == b"false"


def _git(*arguments: str) -> bytes:
    return subprocess.run(("git", "-C", str(REPOSITORY), *arguments), check=True, capture_output=True).stdout

"""The previous release: its code, as it was committed."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.places import REPOSITORY

_VERSION = "^version = "
"""The line of pyproject.toml that a new release changes first. Its parent commit is the previous release."""


class NoHistory(Exception):
    """The commits are not here. `str()` is a sentence."""

    def __init__(self, because: str) -> None:
        super().__init__(
            f"The previous release cannot be had, since {because}; it needs git, and a clone with all commits."
        )


def previous_release(repository: Path = REPOSITORY) -> str:
    """Its commit. Raises: NoHistory."""
    if shutil.which("git") is None:
        raise NoHistory("git is not installed")
    if not (repository / ".git").exists():
        raise NoHistory("this is no clone")
    if _git(repository, "rev-parse", "--is-shallow-repository").strip() != b"false":
        raise NoHistory("this clone is shallow")
    raised = _git(repository, "log", "-1", "--format=%H", f"-G{_VERSION}", "--", "pyproject.toml").decode().strip()
    return _git(repository, "rev-parse", f"{raised}^").decode().strip()


def code_of(commit: str, folder: Path) -> Path:
    """Write all files of the commit to a new folder, which is returned. Raises: NoHistory."""
    with tarfile.open(fileobj=io.BytesIO(_git(REPOSITORY, "archive", "--format=tar", commit))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _git(repository: Path, *arguments: str) -> bytes:
    ran = subprocess.run(("git", "-C", str(repository), *arguments), check=False, capture_output=True)
    if ran.returncode:
        raise NoHistory(f"git says {ran.stderr.decode(errors='replace').strip()!r}")
    return ran.stdout

"""The allow list as a file that people edit while the service runs: checked at every use, read when it has changed.

A file that cannot be used changes nothing: the previous list stays in force, and the log names the line.
"""

import logging
import os
from pathlib import Path

from adapters.tokens.allow_list import AllowList, AllowListMistake, parse_allow_list

LARGEST_FILE_BYTES = 4 * 1024 * 1024
logger = logging.getLogger(__name__)


class AllowListUnusable(Exception):
    """There is no list to start with. One sentence that names the file and, if known, the line."""


class AllowListFile:
    """The list in a file. Creating it raises: AllowListUnusable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _state(path)
        try:
            self._list = _read(path)
        except (OSError, AllowListMistake) as error:
            raise AllowListUnusable(_sentence(path, error)) from None

    def current(self) -> AllowList:
        """The list in force: the file's, or that of its last usable version. Costs one `stat`."""
        state = _state(self._path)
        if state != self._seen:
            self._seen = state
            try:
                self._list = _read(self._path)
            except (OSError, AllowListMistake) as error:
                logger.error(  # noqa: TRY400 - a mistake of the file's author, not a defect: no traceback
                    "allow list refused; the one before stays in force", extra={"because": _sentence(self._path, error)}
                )
            else:
                logger.info("allow list read again", extra={"issuers": len(self._list.issuers)})
        return self._list


def _state(path: Path) -> tuple[int, ...] | None:
    """What a change alters: editors replace the file or write into it, sometimes within one clock tick."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _read(path: Path) -> AllowList:
    with path.open("rb") as file:
        raw = file.read(LARGEST_FILE_BYTES + 1)
    if len(raw) > LARGEST_FILE_BYTES:
        raise AllowListMistake(1, f"the file is larger than {LARGEST_FILE_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AllowListMistake(raw.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
    return parse_allow_list(text.replace(os.linesep, "\n"))


def _sentence(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The allow list {path} cannot be read: {(error.strerror or str(error)).lower()}."
    return f"The allow list {path} cannot be used: {error}."

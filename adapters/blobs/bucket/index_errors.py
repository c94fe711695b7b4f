"""Turns the errors of an index in PostgreSQL into the port's."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.blobs.storage_errors import storage_errors
from adapters.sqlite_file import DatabaseFull, DatabaseUnavailable

logger = logging.getLogger(__name__)


@contextmanager
def index_errors() -> Iterator[None]:
    """Raises the database's errors, and those of a file that is moved into it, as the port's."""
    try:
        with storage_errors():
            yield
    except DatabaseFull as error:
        raise StorageFull from error
    except (DatabaseUnavailable, sqlite3.Error) as error:
        raise unavailable(str(error)) from error


def unavailable(because: str) -> StorageUnavailable:
    """Clients read it: what a server says may hold names and addresses, so that is for the log."""
    logger.warning("the index of the bucket cannot be used", extra={"because": because})
    return StorageUnavailable("the database with its index cannot be used")

"""Turns the operating system's disk errors into the port's errors."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.blobs.port import BlobNotFound, StorageFull, StorageUnavailable


@contextmanager
def storage_errors(*, reading: str | None = None) -> Iterator[None]:
    """Raises the system's errors as the port's. With the key being read, a missing file is BlobNotFound."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        if reading is not None:
            raise BlobNotFound(reading) from error
        raise StorageUnavailable(_reason(error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise StorageUnavailable(_reason(error)) from error


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()

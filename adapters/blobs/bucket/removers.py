"""One process at a time removes what is dead in a bucket, of all that use its index in PostgreSQL."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from adapters.blobs.bucket.index_errors import unavailable
from adapters.postgres import connections
from adapters.postgres.connections import connect, reason

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 120.0
"""How long to wait for another: longer than it takes to move some dozens of objects."""

_LOCK = 0x7461_7065_0003


@contextmanager
def one_remover(url: str) -> Iterator[None]:
    """For one that hangs in the block the others wait a moment, and then do its work: what it moved is taken away.

    The lock ends with its connection. Raises: StorageUnavailable.
    """
    try:
        own = connect(url)
    except psycopg.Error as error:
        raise unavailable(reason(error)) from error
    try:
        try:
            own.execute("SELECT set_config('lock_timeout', %s, false)", (f"{PATIENCE_SECONDS * 1_000:g}ms",))
            own.answer_seconds = PATIENCE_SECONDS + connections.ANSWER_SECONDS
            own.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        except psycopg.errors.LockNotAvailable:
            logger.warning("another process removes for long; this one does so beside it")
        except psycopg.Error as error:
            raise unavailable(reason(error)) from error
        yield
    finally:
        own.close()

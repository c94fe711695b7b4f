"""Hears of commits of the log in PostgreSQL as they happen, in a thread; after a lost connection it connects again."""

import logging
import socket
import threading
from selectors import EVENT_READ, DefaultSelector

import psycopg

from adapters.event_log.port import Heard
from adapters.event_log.postgres_schema import CHANNEL, HEAD
from adapters.postgres.connections import Connection, connect, is_away, reason

SECONDS_BEFORE_CONNECTING_AGAIN = 1.0

_log = logging.getLogger(__name__)


class PostgresListener:
    """Listens from its creation until it is closed. That the server is away is said by those who use the log."""

    def __init__(self, url: str, heard: Heard) -> None:
        self._url = url
        self._heard = heard
        self._end, self._its_end = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, name="log-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Return when nothing will be heard any more."""
        self._end.close()
        self._thread.join()
        self._its_end.close()

    def _listen(self) -> None:
        has_said_so = False
        while True:
            try:
                with connect(self._url) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    head = _head(connection)
                    if has_said_so:
                        _log.info("hears of the event log's commits again")
                    has_said_so = False
                    self._heard(head)
                    self._hear(connection)
                    return
            except psycopg.Error as error:
                if not has_said_so and not is_away(error):
                    _log.warning("cannot hear of the event log's commits, and looks for them: %s", reason(error))
                    has_said_so = True
            if self._must_end(SECONDS_BEFORE_CONNECTING_AGAIN):
                return

    def _hear(self, connection: Connection) -> None:
        """Returns when it must end. Raises: psycopg.Error if the connection is lost.

        What a notification says is not believed: whoever may connect to the database can send any. It is read from the
        log how far that goes.
        """
        while True:
            while list(connection.notifies(timeout=0)):  # also those that came while the log was read
                self._heard(_head(connection))
            if self._must_end(None, connection):
                return

    def _must_end(self, seconds: float | None, *others: Connection) -> bool:
        """Returns once it is known: it must end, one of the others has something to read, or the time is over."""
        with DefaultSelector() as selector:  # select() itself fails in a process with a thousand open files
            its_end = selector.register(self._its_end, EVENT_READ)
            for other in others:
                selector.register(other, EVENT_READ)
            return its_end in [key for key, _ in selector.select(seconds)]


def _head(connection: Connection) -> int:
    """What was committed before it listened."""
    found = connection.execute(HEAD).fetchone()
    return (found[0] or 0) if found is not None else 0

"""Webhook endpoints, their deliveries and the results of these, in one SQLite file or in PostgreSQL.

Deliveries and the log position that they reach change in one transaction, so each event's are created once. An
endpoint is durable before its creation is answered. A power cut may lose a file's last results: those deliveries are
sent again, with the same event id.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.database.counting import row_count
from adapters.database.opening import open_database
from adapters.database.port import Place, Tables
from adapters.sealing import Sealer
from adapters.webhooks.deliveries import Delivery, Due, Endpoint, Message, State, WholeDelivery
from adapters.webhooks.rows import attempts_of, delivery_of, endpoint_of, micros, time_of
from adapters.webhooks.schema import SCHEMA_VERSIONS
from adapters.webhooks.sender import Sent


class WebhookStore:
    """Blocking, and for one caller at a time. Secrets are kept sealed; only `secret_of` returns one.

    Raises: DatabaseFull; DatabaseUnavailable.
    """

    def __init__(self, place: Place, sealer: Sealer) -> None:
        """Raises: also DatabaseTooNew; sqlite3.Error; OSError."""
        self._sealer = sealer
        self._database = open_database(place, durable=False)
        self._durable = open_database(place, durable=True)
        self._durable.prepare(SCHEMA_VERSIONS)

    def close(self) -> None:
        self._database.close()
        self._durable.close()

    # --- endpoints

    def add(self, endpoint: Endpoint, secret: str) -> None:
        """Store an endpoint; durable on return."""
        with self._durable.writing() as tables:
            tables.execute(
                "INSERT INTO endpoints VALUES (?,?,?,?,?,?,NULL,?)",
                (
                    endpoint.id,
                    endpoint.project_id,
                    endpoint.url,
                    " ".join(endpoint.events),
                    micros(endpoint.created_at),
                    endpoint.after_position,
                    self._sealer.seal(secret, name=endpoint.id),
                ),
            )

    def remove(self, endpoint_id: str) -> None:
        """Delete an endpoint, its secret and its deliveries; durable on return."""
        with self._durable.writing() as tables:
            for statement in (
                "DELETE FROM attempts WHERE sequence IN (SELECT sequence FROM deliveries WHERE endpoint_id=?)",
                "DELETE FROM deliveries WHERE endpoint_id=?",
                "DELETE FROM endpoints WHERE id=?",
            ):
                tables.execute(statement, (endpoint_id,))

    def endpoints(self, project_id: str | None = None) -> list[Endpoint]:
        """All endpoints, or one project's, newest first."""
        its = "" if project_id is None else " WHERE project_id=?"
        with self._database.reading() as tables:
            rows = tables.execute(
                f"{_ENDPOINTS}{its} ORDER BY created_at DESC, id", () if project_id is None else (project_id,)
            ).fetchall()
        return [endpoint_of(row) for row in rows]

    def find(self, project_id: str, endpoint_id: str) -> Endpoint | None:
        return next((one for one in self.endpoints(project_id) if one.id == endpoint_id), None)

    def secret_of(self, endpoint_id: str) -> str:
        """Raises: LookupError when the endpoint is gone; InvalidTag when the key file is a different one."""
        with self._database.reading() as tables:
            row = tables.execute("SELECT secret FROM endpoints WHERE id=?", (endpoint_id,)).fetchone()
        if row is None:
            raise LookupError(endpoint_id)
        return self._sealer.unseal(row[0], name=endpoint_id)

    # --- creating deliveries

    def position(self) -> int:
        """The position of the last event whose deliveries have been created."""
        with self._database.reading() as tables:
            row = tables.execute("SELECT position FROM webhook_position").fetchone()
        return 0 if row is None else int(row[0])

    def enqueue(self, messages: Sequence[Message], *, position: int, now: datetime) -> set[str]:
        """Create the deliveries of `messages` and move on to `position`. Returns: the endpoints that got some."""
        touched: set[str] = set()
        with self._database.writing() as tables:
            endpoints = [endpoint_of(row) for row in tables.execute(_ENDPOINTS)] if messages else []
            for message in messages:
                wanting = [one.id for one in endpoints if _wants(one, message)]
                if wanting:
                    _keep(tables, message)
                for endpoint_id in wanting:
                    _make(tables, endpoint_id, message, now)
                touched.update(wanting)
            tables.execute("DELETE FROM webhook_position")
            tables.execute("INSERT INTO webhook_position VALUES (?)", (position,))
        return touched

    # --- sending them

    def due(self, endpoint_id: str, *, now: datetime, limit: int) -> list[Due]:
        """Up to `limit` deliveries that are due, the longest due first."""
        with self._database.reading() as tables:
            rows = tables.execute(
                "SELECT d.sequence, d.event_id, m.body, d.tries FROM deliveries d JOIN messages m USING (event_id) "
                "WHERE d.endpoint_id=? AND d.state='pending' AND d.next_at<=? ORDER BY d.next_at, d.sequence LIMIT ?",
                (endpoint_id, micros(now), limit),
            ).fetchall()
        return [Due(*row) for row in rows]

    def next_due_at(self, endpoint_id: str, *, after: datetime) -> datetime | None:
        """When the next delivery that is not due yet will be."""
        with self._database.reading() as tables:
            (earliest,) = tables.execute(
                "SELECT MIN(next_at) FROM deliveries WHERE endpoint_id=? AND state='pending' AND next_at>?",
                (endpoint_id, micros(after)),
            ).fetchone()
        return None if earliest is None else time_of(earliest)

    def record(
        self, sequence: int, attempt_at: datetime, ended_at: datetime, sent: Sent, retry: datetime | None
    ) -> None:
        """Store an attempt's outcome: it was delivered, is to be tried again at `retry`, or has failed for good."""
        state = State.DELIVERED if sent.is_accepted else State.FAILED if retry is None else State.PENDING
        with self._database.writing() as tables:
            row = tables.execute(
                "UPDATE deliveries SET state=?, next_at=?, tries=tries+1 WHERE sequence=? AND state='pending' "
                "RETURNING endpoint_id, recording_id",
                (state, micros(retry or ended_at), sequence),
            ).fetchone()
            if row is None:  # the endpoint is gone
                return
            endpoint_id, recording_id = row
            (before,) = tables.execute("SELECT COUNT(*) FROM attempts WHERE sequence=?", (sequence,)).fetchone()
            tables.execute(
                "INSERT INTO attempts VALUES (?,?,?,?,?,?,?)",
                (
                    sequence,
                    before + 1,
                    micros(attempt_at),
                    micros(ended_at),
                    sent.status_code,
                    sent.response_body,
                    sent.error,
                ),
            )
            if state is not State.PENDING:
                _promote(tables, endpoint_id, recording_id, ended_at)
                _mark(tables, endpoint_id, None if state is State.DELIVERED else ended_at)

    # --- showing them, and sending them again

    def page(self, endpoint_id: str, *, limit: int, before: int | None = None) -> list[Delivery]:
        """Up to `limit` deliveries, newest first, those before the sequence `before`."""
        with self._database.reading() as tables:
            rows = tables.execute(
                f"SELECT {_DELIVERY} {_TOLD} WHERE d.endpoint_id=? AND d.sequence<? ORDER BY d.sequence DESC LIMIT ?",
                (endpoint_id, 2**62 if before is None else before, limit),
            ).fetchall()
            return [replace(found, attempts=attempts_of(tables, found.sequence)) for found in map(delivery_of, rows)]

    def delivery(self, endpoint_id: str, delivery_id: str) -> WholeDelivery | None:
        """One delivery; None if the endpoint has no such delivery."""
        with self._database.reading() as tables:
            row = tables.execute(
                f"SELECT m.body, {_DELIVERY} {_TOLD} WHERE d.endpoint_id=? AND d.id=?",
                (endpoint_id, delivery_id),
            ).fetchone()
            if row is None:
                return None
            found = delivery_of(row[1:])
            return WholeDelivery(replace(found, attempts=attempts_of(tables, found.sequence)), body=row[0])

    def send_again(self, endpoint_id: str, delivery_id: str, *, now: datetime) -> Delivery | None:
        """Start a delivery's attempts again, immediately and whatever its outcome; None if there is no such delivery.

        One that waits for an earlier event of its recording keeps waiting.
        """
        with self._database.writing() as tables:
            row = tables.execute(
                "UPDATE deliveries SET state=CASE state WHEN 'waiting' THEN 'waiting' ELSE 'pending' END, "
                "next_at=?, tries=0 WHERE endpoint_id=? AND id=? "
                "RETURNING sequence",
                (micros(now), endpoint_id, delivery_id),
            ).fetchone()
        return None if row is None else self.page(endpoint_id, limit=1, before=row[0] + 1)[0]

    def send_failed_again(self, endpoint_id: str, *, now: datetime) -> int:
        """Start the attempts of every failed delivery again. Returns: how many there are."""
        with self._database.writing() as tables:
            query = "UPDATE deliveries SET state='pending', next_at=?, tries=0 WHERE endpoint_id=? AND state='failed'"
            return tables.execute(query, (micros(now), endpoint_id)).rowcount

    def prune(self, *, before: datetime) -> int:
        """Delete finished deliveries, delivered or failed, of events older than that. Returns: how many deliveries."""
        limit = (micros(before),)
        with self._database.writing(patient=True) as tables:
            tables.execute(f"DELETE FROM attempts WHERE sequence IN ({_OVER})", limit)  # noqa: S608
            query = f"DELETE FROM deliveries WHERE sequence IN ({_OVER})"  # noqa: S608
            gone = tables.execute(query, limit).rowcount
            tables.execute(
                "DELETE FROM messages WHERE created_at<? AND event_id NOT IN (SELECT event_id FROM deliveries)",
                limit,
            )
        self._database.give_back()
        return gone


def endpoint_count(place: Place, project_id: str) -> int:
    """How many of a project's are there, while another process may be using it; none if there is no file."""
    return row_count(place, "SELECT COUNT(*) FROM endpoints WHERE project_id=?", project_id)


def delivery_id(endpoint_id: str, event_id: str) -> str:
    return f"del_{hashlib.sha256(f'{endpoint_id} {event_id}'.encode()).hexdigest()[:32]}"


def _keep(tables: Tables, message: Message) -> None:
    tables.execute(
        "INSERT INTO messages VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
        (
            message.event_id,
            message.type,
            message.recording_id.bytes,
            micros(message.created_at),
            message.body,
        ),
    )


def _make(tables: Tables, endpoint_id: str, message: Message, now: datetime) -> None:
    waits = tables.execute(
        "SELECT 1 FROM deliveries WHERE endpoint_id=? AND recording_id=? AND state IN ('waiting', 'pending') LIMIT 1",
        (endpoint_id, message.recording_id.bytes),
    ).fetchone()
    tables.execute(
        "INSERT INTO deliveries (id, endpoint_id, event_id, recording_id, state, tries, next_at) "
        "VALUES (?,?,?,?,?,0,?) ON CONFLICT DO NOTHING",
        (
            delivery_id(endpoint_id, message.event_id),
            endpoint_id,
            message.event_id,
            message.recording_id.bytes,
            State.WAITING if waits else State.PENDING,
            micros(now),
        ),
    )


def _promote(tables: Tables, endpoint_id: str, recording_id: bytes, now: datetime) -> None:
    """Let the recording's next event go to the endpoint."""
    tables.execute(
        "UPDATE deliveries SET state='pending', next_at=? WHERE sequence=(SELECT MIN(sequence) FROM deliveries "
        "WHERE endpoint_id=? AND recording_id=? AND state IN ('waiting', 'pending')) AND state='waiting'",
        (micros(now), endpoint_id, recording_id),
    )


def _mark(tables: Tables, endpoint_id: str, failing_since: datetime | None) -> None:
    if failing_since is None:
        query = "UPDATE endpoints SET failing_since=NULL WHERE id=? AND failing_since IS NOT NULL"
        tables.execute(query, (endpoint_id,))
    else:
        query = "UPDATE endpoints SET failing_since=coalesce(failing_since, ?) WHERE id=?"
        tables.execute(query, (micros(failing_since), endpoint_id))


_OVER = (
    "SELECT d.sequence FROM deliveries d JOIN messages m USING (event_id) "
    "WHERE m.created_at<? AND d.state IN ('delivered', 'failed')"
)
_DELIVERY = "d.sequence, d.id, d.event_id, m.type, d.recording_id, d.state, m.created_at, d.next_at"
_TOLD = "FROM deliveries d JOIN messages m USING (event_id)"
_ENDPOINTS = "SELECT id, project_id, url, events, created_at, after_position, failing_since FROM endpoints"


def _wants(endpoint: Endpoint, message: Message) -> bool:
    return (
        endpoint.project_id == message.project_id
        and message.type in endpoint.events
        and message.position > endpoint.after_position
    )

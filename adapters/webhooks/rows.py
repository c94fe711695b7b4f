"""Endpoints, deliveries and attempts as rows hold them. Times are whole microseconds since 1970, UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from adapters.database.port import Tables
from adapters.webhooks.deliveries import Attempt, Delivery, Endpoint, State
from adapters.webhooks.sender import Sent


def endpoint_of(row: Sequence[Any]) -> Endpoint:
    id_, project_id, url, events, created_at, after_position, failing_since = row
    return Endpoint(
        id=id_,
        project_id=project_id,
        url=url,
        events=tuple(events.split()),
        created_at=time_of(created_at),
        after_position=after_position,
        failing_since=None if failing_since is None else time_of(failing_since),
    )


def delivery_of(row: Sequence[Any]) -> Delivery:
    sequence, id_, event_id, type_, recording_id, state, created_at, next_at = row
    shown = State(state)
    return Delivery(
        sequence=sequence,
        id=id_,
        event_id=event_id,
        type=type_,
        recording_id=UUID(bytes=recording_id),
        state=shown,
        created_at=time_of(created_at),
        next_attempt_at=time_of(next_at) if shown is State.PENDING else None,
    )


def attempts_of(tables: Tables, sequence: int) -> tuple[Attempt, ...]:
    rows = tables.execute(
        "SELECT number, began_at, ended_at, status_code, response_body, error FROM attempts WHERE sequence=? "
        "ORDER BY number",
        (sequence,),
    ).fetchall()
    return tuple(
        Attempt(number, time_of(began), timedelta(microseconds=ended - began), Sent(status, body, error))
        for number, began, ended, status, body, error in rows
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def time_of(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)

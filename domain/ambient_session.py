"""An ambient session: a caller's name for recordings of one encounter, announced before them and ended after them.

A small aggregate of its own, on the same log. A recording only needs to know whether the session accepts more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from uuid import UUID

from domain.events import AmbientSessionEnded, AmbientSessionEvent, AmbientSessionOpened, AmbientSessionUpdated
from domain.identity import recording_id


def session_id(dialect: str, tenant_id: str, correlation_id: str) -> UUID:
    """The UUIDv5 of the session that a tenant of a dialect calls `correlation_id`; never equal to a recording's."""
    return recording_id(f"{dialect} session", tenant_id, correlation_id)


class SessionError(Exception):
    """A command was refused. Nothing was recorded."""


class AmbientSessionNotFound(SessionError):
    def __init__(self) -> None:
        super().__init__("There is no ambient session for this correlationId.")


class AmbientSessionOfAnother(SessionError):
    """A session of this name exists, and it is another partner's."""

    def __init__(self) -> None:
        super().__init__("An ambient session of this correlationId belongs to another partner.")


@dataclass(frozen=True, slots=True)
class AmbientSession:
    """What is known of one session. The initial state, before AmbientSessionOpened, is None.

    `first_opened_at`: since when its name is its partner's, however often it was ended and opened again.
    """

    first_opened_at: datetime
    dialect: str
    tenant_id: str
    correlation_id: str
    partner_id: str
    product_id: str
    external_user_id: str | None
    ehr_instance_id: str | None
    details_key: str | None
    has_ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceSession:
    """Open the session, or change its facts. `at`: an aware UTC datetime."""

    at: datetime
    dialect: str
    tenant_id: str
    correlation_id: str
    partner_id: str
    product_id: str
    external_user_id: str | None
    ehr_instance_id: str | None
    details_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """Let no further recording begin in the session."""

    at: datetime


SessionCommand = AnnounceSession | EndSession


def decide_session(session: AmbientSession | None, command: SessionCommand) -> list[AmbientSessionEvent]:
    """The events that `command` causes; none when it changes nothing.

    Raises: AmbientSessionNotFound; AmbientSessionOfAnother.
    """
    match command:
        case AnnounceSession():
            return _announce(session, command)
        case EndSession():
            return _end(session, command)


def _announce(session: AmbientSession | None, command: AnnounceSession) -> list[AmbientSessionEvent]:
    if session is not None and session.partner_id != command.partner_id:
        raise AmbientSessionOfAnother
    if session is None or session.has_ended:
        return [
            AmbientSessionOpened(
                at=command.at,
                dialect=command.dialect,
                tenant_id=command.tenant_id,
                correlation_id=command.correlation_id,
                partner_id=command.partner_id,
                product_id=command.product_id,
                external_user_id=command.external_user_id,
                ehr_instance_id=command.ehr_instance_id,
                details_key=command.details_key,
            )
        ]
    updated = AmbientSessionUpdated(
        at=command.at,
        product_id=command.product_id,
        external_user_id=command.external_user_id,
        ehr_instance_id=command.ehr_instance_id,
        details_key=command.details_key,
    )
    return [] if evolve_session(session, updated) == session else [updated]


def _end(session: AmbientSession | None, command: EndSession) -> list[AmbientSessionEvent]:
    if session is None:
        raise AmbientSessionNotFound
    return [] if session.has_ended else [AmbientSessionEnded(at=command.at)]


def evolve_session(session: AmbientSession | None, event: AmbientSessionEvent) -> AmbientSession:
    """The state after one event. Raises: CorruptSession if the first event is not AmbientSessionOpened."""
    match event:
        case AmbientSessionOpened():
            return AmbientSession(
                first_opened_at=event.at if session is None else session.first_opened_at,
                dialect=event.dialect,
                tenant_id=event.tenant_id,
                correlation_id=event.correlation_id,
                partner_id=event.partner_id,
                product_id=event.product_id,
                external_user_id=event.external_user_id,
                ehr_instance_id=event.ehr_instance_id,
                details_key=event.details_key,
            )
        case AmbientSessionUpdated() if session is not None:
            return replace(
                session,
                product_id=event.product_id,
                external_user_id=event.external_user_id,
                ehr_instance_id=event.ehr_instance_id,
                details_key=event.details_key,
            )
        case AmbientSessionEnded() if session is not None:
            return replace(session, has_ended=True)
        case _:
            raise CorruptSession(f"{type(event).__name__} cannot be the first event of a session")


class CorruptSession(Exception):
    """The stored history is one that no decisions can have produced."""


def fold_session(events: Iterable[AmbientSessionEvent], session: AmbientSession | None = None) -> AmbientSession | None:
    """The state after `events`, from `session` or from the beginning."""
    return reduce(evolve_session, events, session)

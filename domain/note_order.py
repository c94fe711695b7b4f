"""A note order: a caller wants a note of one recording's transcript, by a template or by a prompt of the caller's own.

A small aggregate of its own, on the same log. It is written once, and for one transcript. When the recording is
deleted, its notes and prompts are erased with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from uuid import UUID

from domain.events import (
    NoteOrderBegun,
    NoteOrdered,
    NoteOrderEvent,
    NoteOrderFailed,
    NoteOrderFulfilled,
    NoteTemplate,
)
from domain.identity import recording_id


def named_order_id(dialect: str, tenant_id: str, name: str) -> UUID:
    """The UUIDv5 of the order that a tenant of a dialect calls `name`; never equal to a recording's."""
    return recording_id(f"{dialect} note order", tenant_id, name)


class NoteOrderError(Exception):
    """A command was refused. Nothing was recorded."""


class NoteOrderNotFound(NoteOrderError):
    def __init__(self) -> None:
        super().__init__("There is no such order for a note.")


class NoteOrderDiffers(NoteOrderError):
    """An order of this name exists, and another note was ordered by it."""

    def __init__(self) -> None:
        super().__init__("Another note was ordered with this Idempotency-Key; give each order its own key.")


class NoteOrderSettled(NoteOrderError):
    """A result came for an order that already has one."""

    def __init__(self) -> None:
        super().__init__("The order is already fulfilled, or has failed.")


@dataclass(frozen=True, slots=True)
class NoteOrder:
    """What is known of one order. The initial state, before NoteOrdered, is None.

    Once it is settled, either `fulfilled` or `failed` is there.
    """

    ordered: NoteOrdered
    begun_at: datetime | None = None
    fulfilled: NoteOrderFulfilled | None = None
    failed: NoteOrderFailed | None = None

    @property
    def is_settled(self) -> bool:
        return self.fulfilled is not None or self.failed is not None

    @property
    def updated_at(self) -> datetime:
        settled = self.fulfilled or self.failed
        return settled.at if settled is not None else self.begun_at or self.ordered.at


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNote:
    """Have a note written. `at`: an aware UTC datetime. The other fields are those of `NoteOrdered`."""

    at: datetime
    dialect: str
    tenant_id: str
    recording_id: UUID
    transcript_key: str
    transcript_sha256: str
    template: NoteTemplate | None
    prompt_key: str | None
    provider: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginNote:
    """Someone writes the note now."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfilOrder:
    """The note is stored. The fields are those of `NoteOrderFulfilled`."""

    at: datetime
    blob_key: str
    size_bytes: int
    sha256: str
    language: str
    engine: str
    fallback_reason: str | None
    unsupported_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailOrder:
    """The note cannot be written. The fields are those of `NoteOrderFailed`."""

    at: datetime
    reason: str
    message: str
    attempts: int


NoteOrderCommand = OrderNote | BeginNote | FulfilOrder | FailOrder


def decide_order(order: NoteOrder | None, command: NoteOrderCommand) -> list[NoteOrderEvent]:
    """The events that `command` causes; none when it changes nothing.

    Raises: NoteOrderNotFound; NoteOrderDiffers; NoteOrderSettled.
    """
    if isinstance(command, OrderNote):
        return _order(order, command)
    if order is None:
        raise NoteOrderNotFound
    if isinstance(command, BeginNote):
        is_begun = order.begun_at is not None or order.is_settled
        return [] if is_begun else [NoteOrderBegun(at=command.at)]
    return _settle(order, command)


def _order(order: NoteOrder | None, command: OrderNote) -> list[NoteOrderEvent]:
    """Ordering the same again changes nothing, also if there is another transcript by now."""
    ordered = NoteOrdered(
        at=command.at,
        dialect=command.dialect,
        tenant_id=command.tenant_id,
        recording_id=command.recording_id,
        transcript_key=command.transcript_key,
        transcript_sha256=command.transcript_sha256,
        template=command.template,
        prompt_key=command.prompt_key,
        provider=command.provider,
    )
    if order is None:
        return [ordered]
    if _wish(order.ordered) != _wish(ordered):
        raise NoteOrderDiffers
    return []


def _wish(ordered: NoteOrdered) -> tuple[UUID, NoteTemplate | None, str | None, str | None]:
    return ordered.recording_id, ordered.template, ordered.prompt_key, ordered.provider


def _settle(order: NoteOrder, command: FulfilOrder | FailOrder) -> list[NoteOrderEvent]:
    """The first result counts. The same one again changes nothing."""
    settled = _result(command)
    if not order.is_settled:
        return [settled]
    if (order.fulfilled or order.failed) == settled.model_copy(update={"at": order.updated_at}):
        return []
    raise NoteOrderSettled


def _result(command: FulfilOrder | FailOrder) -> NoteOrderFulfilled | NoteOrderFailed:
    if isinstance(command, FailOrder):
        return NoteOrderFailed(at=command.at, reason=command.reason, message=command.message, attempts=command.attempts)
    return NoteOrderFulfilled(
        at=command.at,
        blob_key=command.blob_key,
        size_bytes=command.size_bytes,
        sha256=command.sha256,
        language=command.language,
        engine=command.engine,
        fallback_reason=command.fallback_reason,
        unsupported_share=command.unsupported_share,
    )


def evolve_order(order: NoteOrder | None, event: NoteOrderEvent) -> NoteOrder:
    """The state after one event. Raises: CorruptOrder if the first event is not NoteOrdered."""
    match event:
        case NoteOrdered() if order is None:
            return NoteOrder(event)
        case NoteOrderBegun() if order is not None:
            return replace(order, begun_at=event.at)
        case NoteOrderFulfilled() if order is not None:
            return replace(order, fulfilled=event)
        case NoteOrderFailed() if order is not None:
            return replace(order, failed=event)
        case _:
            place = "the first event of an order" if order is None else "a later event of an order"
            raise CorruptOrder(f"{type(event).__name__} cannot be {place}")


class CorruptOrder(Exception):
    """The stored history is one that no decisions can have produced."""


def fold_order(events: Iterable[NoteOrderEvent], order: NoteOrder | None = None) -> NoteOrder | None:
    """The state after `events`, from `order` or from the beginning."""
    return reduce(evolve_order, events, order)

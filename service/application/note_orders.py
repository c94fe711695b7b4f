"""All note orders: ordering a note, carrying out commands on orders, and what is known of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import UUID

from adapters.blobs.port import BlobNotFound, BlobStore
from adapters.database.looking_up import looked_up
from adapters.event_log.log import EventLog
from adapters.note_orders import NoteOrderStore, OrdersPage, OrdersQuery
from adapters.notes.orders import OrderedNote
from adapters.quotas import Quota
from adapters.staged_bytes import StagedBytes
from domain.errors import RecordingNotFound
from domain.events import (
    NOTE_ORDER_EVENT_TYPES,
    NoteOrdered,
    NoteOrderEvent,
    NoteOrderFulfilled,
    NoteTemplate,
    Transcribed,
)
from domain.note_order import (
    NoteOrder,
    NoteOrderCommand,
    NoteOrderError,
    NoteOrderNotFound,
    OrderNote,
    decide_order,
    fold_order,
)
from service.application.blob_names import blob_prefix
from service.application.clock import Clock
from service.application.queries import VIEW_SECONDS, Projection, ViewBehind
from service.application.quotas import QuotaReached, Quotas
from service.application.recordings import Recordings
from service.application.stored_content import content_of
from service.application.streams import Aggregate, Streams
from service.application.trace import trace_id

REMEMBERED_ORDERS = 5_000
"""Orders kept in memory; the least recently used are dropped first."""


ORDERS: Aggregate[NoteOrder, NoteOrderCommand, NoteOrderEvent] = Aggregate(
    decide=decide_order,
    fold=fold_order,
    events=frozenset(NOTE_ORDER_EVENT_TYPES.values()),
    refusals=NoteOrderError,
    weight=lambda _: 1,
    is_current=lambda order: order is not None and order.is_settled,  # then nothing more happens to it
)


class NoteOrders:
    """All orders, by id. Used from one event loop. `is_shared`: see `Streams`."""

    def __init__(self, log: EventLog, *, remembered: int = REMEMBERED_ORDERS, is_shared: bool = False) -> None:
        self._streams = Streams(log, ORDERS, most_held=remembered, is_shared=is_shared)

    async def execute(
        self,
        order_id: UUID,
        command: NoteOrderCommand,
        *,
        trace_id: str | None = None,
        after: StagedBytes | None = None,
    ) -> NoteOrder:
        """Decide `command`; its events, and all before them, are durable on return.

        `after`: the bytes that its events refer to, made durable by the same commit.

        Raises: a NoteOrderError of the domain; LogFull, LogUnavailable; Contended; what `after` raises.
        """
        return (await self._streams.execute(order_id, command, trace_id=trace_id, after=after)).state

    async def find(self, order_id: UUID) -> NoteOrder:
        """Raises: NoteOrderNotFound; LogFull, LogUnavailable; Contended."""
        order = await self._streams.find(order_id)
        if order is None:
            raise NoteOrderNotFound
        return order

    async def close(self) -> None:
        """Wait for reads under way. The owner closes the log after this."""
        await self._streams.close()


def prompt_prefix(recording_id: UUID, order_id: UUID) -> str:
    """Of the key of an order's prompt. It is among the recording's blobs, and so erased with them."""
    return blob_prefix(recording_id, f"prompt-{order_id.hex}")


def ordered_note_prefix(recording_id: UUID, order_id: UUID) -> str:
    """Of the key of an ordered note; likewise."""
    return blob_prefix(recording_id, f"ordered-note-{order_id.hex}")


class NoteOrdering:
    """What callers want to have written. A prompt is the caller's own text, so it becomes a blob."""

    def __init__(
        self, orders: NoteOrders, recordings: Recordings, blobs: BlobStore, *, quotas: Quotas, clock: Clock
    ) -> None:
        self._orders = orders
        self._quotas = quotas
        self._recordings = recordings
        self._blobs = blobs
        self._clock = clock

    async def order(
        self,
        order_id: UUID,
        *,
        dialect: str,
        tenant_id: str,
        recording_id: UUID,
        transcribed: Transcribed,
        template: NoteTemplate | None,
        prompt: str | None,
        provider: str | None,
    ) -> NoteOrder:
        """Have a note written of what was `transcribed`, by `template` or by `prompt`.

        The same order again changes nothing, whatever the project's quotas. Raises: QuotaReached; NoteOrderDiffers;
        RecordingNotFound; StorageFull, StorageUnavailable; LogFull, LogUnavailable; Contended.
        """

        def command(prompt_key: str | None) -> OrderNote:
            return OrderNote(
                at=self._clock(),
                dialect=dialect,
                tenant_id=tenant_id,
                recording_id=recording_id,
                transcript_key=transcribed.blob_key,
                transcript_sha256=transcribed.sha256,
                template=template,
                prompt_key=prompt_key,
                provider=provider,
            )

        try:
            async with self._quotas.taking(tenant_id, Quota.WAITING_NOTES):
                return await self._order(order_id, recording_id, prompt, command)
        except QuotaReached:
            if not await self._is_known(order_id):
                raise
        return await self._order(order_id, recording_id, prompt, command)

    async def _is_known(self, order_id: UUID) -> bool:
        try:
            await self._orders.find(order_id)
        except NoteOrderNotFound:
            return False
        return True

    async def _order(
        self, order_id: UUID, recording_id: UUID, prompt: str | None, command: Callable[[str | None], OrderNote]
    ) -> NoteOrder:
        """`command`: orders the note, given the key of the prompt."""
        if prompt is None:
            return await self._execute(order_id, command(None))
        async with self._blobs.stage(prompt_prefix(recording_id, order_id), _body(prompt)) as staged:
            key = staged.blob.key
            try:
                return await self._execute(order_id, command(key), after=staged)
            except NoteOrderError:
                if (await self._orders.find(order_id)).ordered.prompt_key != key:
                    await self._blobs.delete(key)
                raise
            except RecordingNotFound:
                await self._blobs.delete(key)
                raise

    async def _execute(self, order_id: UUID, command: OrderNote, *, after: StagedBytes | None = None) -> NoteOrder:
        """Raises: RecordingNotFound, also when the recording was deleted meanwhile: what was stored goes with it."""
        order = await self._orders.execute(order_id, command, trace_id=trace_id.get(), after=after)
        await self._recordings.newest(command.recording_id)
        return order


async def _body(prompt: str) -> AsyncIterator[bytes]:
    yield prompt.encode()


class NoteOrderQueries:
    """What is known of orders, including every write answered before. The orders of deleted recordings are unknown.

    All methods may raise LogUnavailable, DatabaseUnavailable; those that read blobs, StorageUnavailable.
    """

    def __init__(self, store: NoteOrderStore, projection: Projection, *, log: EventLog, blobs: BlobStore) -> None:
        self._store = store
        self._projection = projection
        self._log = log
        self._blobs = blobs

    async def order(self, order_id: UUID) -> NoteOrder:
        """Raises: NoteOrderNotFound; ViewBehind."""
        await self._catch_up()
        order = await looked_up(self._store, self._store.find, order_id)
        if order is None:
            raise NoteOrderNotFound
        return order

    async def page(self, query: OrdersQuery) -> OrdersPage:
        """Raises: ViewBehind."""
        await self._catch_up()
        return await looked_up(self._store, self._store.page, query)

    async def _catch_up(self) -> None:
        try:
            await self._projection.wait_for(await self._log.newest_head(), seconds=VIEW_SECONDS)
        except TimeoutError:
            raise ViewBehind("view of ordered notes") from None

    async def prompt(self, ordered: NoteOrdered) -> str | None:
        """Raises: NoteOrderNotFound if it was erased meanwhile."""
        return None if ordered.prompt_key is None else (await self._content(ordered.prompt_key)).decode()

    async def note(self, fulfilled: NoteOrderFulfilled) -> OrderedNote:
        """Raises: NoteOrderNotFound if it was erased meanwhile."""
        return await asyncio.to_thread(OrderedNote.from_json, await self._content(fulfilled.blob_key))

    async def _content(self, blob_key: str) -> bytes:
        try:
            return await content_of(self._blobs, blob_key)
        except BlobNotFound:
            raise NoteOrderNotFound from None

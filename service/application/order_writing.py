"""Writes ordered notes: for one order, the note that was ordered, stored and ready to be recorded."""

import asyncio
from datetime import timedelta
from random import Random
from typing import ClassVar
from uuid import UUID

from adapters.blobs.port import BlobNotFound, BlobStore
from adapters.notes.orders import ByPrompt, ByTemplate, OrderWriter, Wish
from adapters.notes.quoting_orders import QuotingOrderWriter
from domain.events import NoteOrdered
from domain.note_order import FulfilOrder
from service.application.clock import Clock
from service.application.note_attempts import written
from service.application.note_orders import ordered_note_prefix
from service.application.retry import RetryPolicy
from service.application.stage_parts import TookTooLong
from service.application.stored_content import content_of, stored, transcript_of
from service.application.turns import Turns, note_urgency


class OrderCannotBeWritten(Exception):
    """Trying again cannot help. `reason`: a code for programs; `str(error)` is one sentence without content."""

    reason: ClassVar[str]


class TranscriptTooShort(OrderCannotBeWritten):
    reason = "transcript_too_short"

    def __init__(self) -> None:
        super().__init__("The transcript has no words, so there is nothing to write about.")


class TranscriptErased(OrderCannotBeWritten):
    reason = "transcript_erased"

    def __init__(self) -> None:
        super().__init__(
            "The transcript was replaced by another and erased before the note was written; order it again."
        )


class WritingTookTooLong(OrderCannotBeWritten):
    reason = TookTooLong.reason

    def __init__(self, limit: timedelta) -> None:
        super().__init__(str(TookTooLong(limit)))


class OrderWriting:
    """`policy`: how often the writer is tried before the note is quotations only. `limit`: how long one note takes."""

    def __init__(
        self,
        blobs: BlobStore,
        writer: OrderWriter,
        *,
        turns: Turns,
        limit: timedelta,
        policy: RetryPolicy,
        clock: Clock,
        random: Random,
    ) -> None:
        self._blobs = blobs
        self._writer = writer
        self._last_resort = QuotingOrderWriter()
        self._policy = policy
        self._clock = clock
        self._random = random
        self._turns = turns
        self._limit = limit

    async def work(self, order_id: UUID, ordered: NoteOrdered) -> FulfilOrder:
        """Raises: OrderCannotBeWritten; BlobNotFound; StorageFull, StorageUnavailable."""
        patience = asyncio.timeout(None)
        try:
            async with self._turns.turn(ordered.tenant_id, note_urgency(self._limit)), patience:
                patience.reschedule(asyncio.get_running_loop().time() + self._limit.total_seconds())
                return await self._written(order_id, ordered)
        except TimeoutError:
            if not patience.expired():
                raise
            raise WritingTookTooLong(self._limit) from None

    async def _written(self, order_id: UUID, ordered: NoteOrdered) -> FulfilOrder:
        try:
            transcript = await transcript_of(self._blobs, ordered.transcript_key)
        except BlobNotFound:
            raise TranscriptErased from None
        if not transcript.text.strip():
            raise TranscriptTooShort
        wish = await self._wish(ordered)
        note, fallback_reason = await written(
            lambda: self._writer.write(transcript, wish),
            lambda: self._last_resort.write(transcript, wish),
            policy=self._policy,
            random=self._random,
            about={"note_order_id": order_id.hex},
        )
        prefix = ordered_note_prefix(ordered.recording_id, order_id)
        blob = await stored(self._blobs, prefix, note.to_json())
        return FulfilOrder(
            at=self._clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            language=note.language,
            engine=note.engine,
            fallback_reason=fallback_reason,
        )

    async def _wish(self, ordered: NoteOrdered) -> Wish:
        if ordered.prompt_key is not None:
            return ByPrompt((await content_of(self._blobs, ordered.prompt_key)).decode())
        if ordered.template is None:
            raise ValueError("an order has a template or a prompt")
        return ByTemplate(ordered.template)

"""Orders summaries and answers them in the words of Bota's API."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from aiohttp import web

from adapters.keys import Key
from adapters.note_orders import ListedOrder, OrdersQuery
from domain.errors import RecordingNotFound
from domain.events import NoteTemplate, Transcribed
from domain.note_order import NoteOrder, NoteOrderNotFound, named_order_id
from service.application.callers import Callers
from service.application.clock import NewId
from service.application.note_orders import NoteOrdering, NoteOrderQueries
from service.application.queries import Queries
from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer
from service.dialects.bota.errors import SummaryNotFound, TemplateNotFound, TranscriptionNotFound
from service.dialects.bota.idempotency import check_name
from service.dialects.bota.identifiers import DIALECT, order_id_of_summary, recording_id_of_transcription
from service.dialects.bota.paging import cursor_of_order, place_of_order
from service.dialects.bota.requests import parse, query_of
from service.dialects.bota.view import View
from service.dialects.bota.written_summaries.messages import (
    TEMPLATE_IDS,
    CreateSummary,
    SummariesPageRequest,
    SummaryAnswer,
)
from service.dialects.bota.written_summaries.rendering import summary_answer
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits

_TEMPLATES = {template_id: template for template, template_id in TEMPLATE_IDS.items()}
_OLDER_TEMPLATES = {template.value: template for template in NoteTemplate}

LARGEST_PAGE_BYTES = 900_000
"""Clients refuse answers of more than one mebibyte; a page ends before it is that large."""

_MOST_BYTES_BESIDE_THE_NOTE = {False: 1_000, True: 61_000}
"""Of an answer, without and with a prompt, each of whose characters may take six bytes in JSON."""


class Summaries:
    """The handlers."""

    def __init__(
        self,
        ordering: NoteOrdering,
        orders: NoteOrderQueries,
        queries: Queries,
        callers: Callers,
        limits: Limits,
        *,
        new_id: NewId,
    ) -> None:
        self._ordering = ordering
        self._orders = orders
        self._callers = callers
        self._limits = limits
        self._new_id = new_id
        self._view = View(queries)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/summaries", self.create)
        router.add_get("/v1/summaries", self.summaries)
        router.add_get("/v1/summaries/{summary_id}", self.summary)

    async def create(self, request: web.Request) -> web.Response:
        """201. With an `Idempotency-Key`, the same request again gives the same summary, as it is by then (D)."""
        key = await access.permitted(request, self._callers, access.WRITE_SUMMARIES)
        asked = parse(CreateSummary, await self._limits.json_body(request))
        template = _template(asked)
        order_id = self._order_id(request, key)
        try:
            recording_id = recording_id_of_transcription(asked.transcription_id)
            order = await self._ordering.order(
                order_id,
                dialect=DIALECT,
                tenant_id=key.project_id,
                recording_id=recording_id,
                transcribed=await self._transcribed(key, recording_id),
                template=template,
                prompt=asked.prompt,
                provider=asked.provider,
            )
        except RecordingNotFound:
            raise TranscriptionNotFound from None
        return json_answer(await self._answer(order_id, order), status=201)

    async def _transcribed(self, key: Key, recording_id: UUID) -> Transcribed:
        """Raises: TranscriptionNotFound; NotReady, TranscriptionFailed; RecordingNotFound."""
        summary = await self._view.summary(key, recording_id)
        if summary.finalized_at is None:
            raise TranscriptionNotFound
        return self._view.transcribed(summary)

    def _order_id(self, request: web.Request, key: Key) -> UUID:
        name = request.headers.get("Idempotency-Key")
        if name is None:
            return UUID(hex=self._new_id())
        check_name(name)
        return named_order_id(DIALECT, key.project_id, name)

    async def summary(self, request: web.Request) -> web.Response:
        key = await access.permitted(request, self._callers, access.READ_SUMMARIES)
        try:
            order_id = order_id_of_summary(request.match_info["summary_id"])
            order = await self._orders.order(order_id)
        except NoteOrderNotFound:
            raise SummaryNotFound from None
        if order.ordered.tenant_id != key.project_id:
            raise SummaryNotFound
        return json_answer(await self._answer(order_id, order))

    async def summaries(self, request: web.Request) -> web.Response:
        """A page of the project's summaries, or of one transcription's, newest first (P)."""
        key = await access.permitted(request, self._callers, access.READ_SUMMARIES)
        asked = query_of(SummariesPageRequest, request.query)
        after = place_of_order(asked.cursor)
        try:
            recording_id = recording_id_of_transcription(asked.transcription_id) if asked.transcription_id else None
        except RecordingNotFound:
            return json_answer(ListAnswer[SummaryAnswer](data=[], has_more=False, next_cursor=None))
        page = await self._orders.page(
            OrdersQuery(tenant_id=key.project_id, limit=asked.limit, recording_id=recording_id, after=after)
        )
        shown = _that_fit(page.rows)
        has_more = page.has_more or len(shown) < len(page.rows)
        found = await asyncio.gather(*(self._if_there(row) for row in shown))
        return json_answer(
            ListAnswer[SummaryAnswer](
                data=[one for one in found if one is not None],
                has_more=has_more,
                next_cursor=cursor_of_order(shown[-1].place) if has_more else None,
            )
        )

    async def _if_there(self, row: ListedOrder) -> SummaryAnswer | None:
        try:
            return await self._answer(row.order_id, row.order)
        except SummaryNotFound:  # deleted since the row was read
            return None

    async def _answer(self, order_id: UUID, order: NoteOrder) -> SummaryAnswer:
        """Raises: SummaryNotFound if it was erased meanwhile."""
        try:
            prompt = await self._orders.prompt(order.ordered)
            note = await self._orders.note(order.fulfilled) if order.fulfilled else None
        except NoteOrderNotFound:
            raise SummaryNotFound from None
        return summary_answer(order_id, order, prompt, note)


def _template(asked: CreateSummary) -> NoteTemplate | None:
    """Raises: TemplateNotFound."""
    if asked.prompt is not None:
        return None
    found = _TEMPLATES.get(asked.template_id or "") or _OLDER_TEMPLATES.get(asked.template or "")
    if found is None:
        raise TemplateNotFound
    return found


def _that_fit(rows: Sequence[ListedOrder]) -> Sequence[ListedOrder]:
    """Those of a page's first rows whose answers stay below the largest size, and at least one."""
    size_bytes = 0
    for number, row in enumerate(rows):
        size_bytes += row.order.fulfilled.size_bytes if row.order.fulfilled else 0
        size_bytes += _MOST_BYTES_BESIDE_THE_NOTE[row.order.ordered.prompt_key is not None]
        if size_bytes > LARGEST_PAGE_BYTES and number > 0:
            return rows[:number]
    return rows

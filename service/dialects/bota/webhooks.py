"""Bota's webhook endpoints (P): register, list, delete; what was delivered (D), and to deliver it again (D)."""

from aiohttp import web

from adapters.keys import Key
from adapters.webhooks.deliveries import Delivery, Endpoint, State
from adapters.webhooks.sender import UrlRefused
from service.application.callers import Callers
from service.application.clock import NewId
from service.application.webhooks import Webhooks
from service.dialects.bota import access
from service.dialects.bota.answers import (
    AttemptAnswer,
    DeliveryAnswer,
    ListAnswer,
    RedeliveredAnswer,
    WebhookAnswer,
    WebhookCreatedAnswer,
    WholeDeliveryAnswer,
)
from service.dialects.bota.idempotency import Once, id_for
from service.dialects.bota.identifiers import public_recording_id
from service.dialects.bota.paging import PageRequest
from service.dialects.bota.requests import CreateWebhook, InvalidRequest, parse, query_of
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import Limits


class WebhookEndpoints:
    """The handlers."""

    def __init__(self, webhooks: Webhooks, callers: Callers, limits: Limits, once: Once, *, new_id: NewId) -> None:
        self._webhooks = webhooks
        self._callers = callers
        self._limits = limits
        self._once = once
        self._new_id = new_id

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/webhooks", self._once(self.create, access.WRITE_WEBHOOKS))
        router.add_get("/v1/webhooks", self.webhooks)
        router.add_get("/v1/webhooks/{webhook_id}", self.webhook)
        router.add_delete("/v1/webhooks/{webhook_id}", self.delete)
        router.add_get("/v1/webhooks/{webhook_id}/deliveries", self.deliveries)
        router.add_get("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}", self.delivery)
        router.add_post("/v1/webhooks/{webhook_id}/redeliver", self.redeliver_failed)
        router.add_post("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", self.redeliver)

    async def create(self, request: web.Request) -> web.Response:
        """201 with the secret, which is shown only here. The endpoint gets what happens from now on."""
        key = await access.permitted(request, self._callers, access.WRITE_WEBHOOKS)
        asked = parse(CreateWebhook, await self._limits.json_body(request))
        try:
            endpoint, secret = await self._webhooks.register(
                f"wh_{id_for(request, self._new_id)}", key.project_id, url=asked.url, events=asked.events
            )
        except UrlRefused as refused:
            raise InvalidRequest("url", str(refused)) from None
        shown = _webhook_answer(endpoint).model_dump()
        return json_answer(WebhookCreatedAnswer(**shown, secret=secret), status=201)

    async def webhooks(self, request: web.Request) -> web.Response:
        """All of the project's, newest first."""
        key = await access.permitted(request, self._callers, access.READ_WEBHOOKS)
        shown = [_webhook_answer(endpoint) for endpoint in await self._webhooks.of_project(key.project_id)]
        return json_answer(ListAnswer[WebhookAnswer](data=shown, has_more=False, next_cursor=None))

    async def webhook(self, request: web.Request) -> web.Response:
        key = await access.permitted(request, self._callers, access.READ_WEBHOOKS)
        return json_answer(_webhook_answer(await self._endpoint(request, key)))

    async def delete(self, request: web.Request) -> web.Response:
        """Deletes the endpoint, its secret and its deliveries."""
        key = await access.permitted(request, self._callers, access.WRITE_WEBHOOKS)
        endpoint = await self._endpoint(request, key)
        await self._once.forget(key.project_id, endpoint.id)
        await self._webhooks.remove(endpoint)
        return web.Response(status=204)

    async def deliveries(self, request: web.Request) -> web.Response:
        """What was sent, with its outcome, newest first."""
        key = await access.permitted(request, self._callers, access.READ_WEBHOOKS)
        endpoint = await self._endpoint(request, key)
        asked = query_of(PageRequest, request.query)
        found = await self._webhooks.deliveries(endpoint, limit=asked.limit + 1, before=_sequence_of(asked.cursor))
        shown = found[: asked.limit]
        next_cursor = str(shown[-1].sequence) if len(found) > asked.limit else None
        return json_answer(
            ListAnswer[DeliveryAnswer](
                data=[_delivery_answer(delivery) for delivery in shown],
                has_more=next_cursor is not None,
                next_cursor=next_cursor,
            )
        )

    async def delivery(self, request: web.Request) -> web.Response:
        """One delivery, with the body that its receiver gets."""
        key = await access.permitted(request, self._callers, access.READ_WEBHOOKS)
        endpoint = await self._endpoint(request, key)
        found = await self._webhooks.delivery(endpoint, request.match_info["delivery_id"])
        shown = _delivery_answer(found.delivery).model_dump()
        return json_answer(WholeDeliveryAnswer(**shown, request_body=found.body.decode()))

    async def redeliver(self, request: web.Request) -> web.Response:
        """202; the attempts start again, whatever came of the earlier ones."""
        key = await access.permitted(request, self._callers, access.WRITE_WEBHOOKS)
        endpoint = await self._endpoint(request, key)
        delivery = await self._webhooks.send_again(endpoint, request.match_info["delivery_id"])
        return json_answer(_delivery_answer(delivery), status=202)

    async def redeliver_failed(self, request: web.Request) -> web.Response:
        """202; everything that failed in all its attempts is sent again: for a receiver that is back."""
        key = await access.permitted(request, self._callers, access.WRITE_WEBHOOKS)
        count = await self._webhooks.send_failed_again(await self._endpoint(request, key))
        return json_answer(RedeliveredAnswer(redelivered=count), status=202)

    async def _endpoint(self, request: web.Request, key: Key) -> Endpoint:
        """The project's own endpoint that the path names. Raises: WebhookNotFound."""
        return await self._webhooks.find(key.project_id, request.match_info["webhook_id"])


def _sequence_of(cursor: str | None) -> int | None:
    """Raises: InvalidRequest."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):  # noqa: PLR2004 - what 63 bits hold
        raise InvalidRequest("cursor", "This must be the next_cursor of this list, exactly as given.")
    return int(cursor)


def _webhook_answer(endpoint: Endpoint) -> WebhookAnswer:
    return WebhookAnswer.model_validate(
        {
            "id": endpoint.id,
            "url": endpoint.url,
            "events": endpoint.events,
            "status": "failing" if endpoint.failing_since else "active",
            "failing_since": utc_text(endpoint.failing_since),
            "created_at": utc_text(endpoint.created_at),
        }
    )


_STATUS = {State.WAITING: "pending"}


def _delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    return DeliveryAnswer.model_validate(
        {
            "id": delivery.id,
            "event_id": delivery.event_id,
            "type": delivery.type,
            "recording_id": public_recording_id(delivery.recording_id),
            "status": _STATUS.get(delivery.state, delivery.state.value),
            "attempts": [
                AttemptAnswer(
                    number=attempt.number,
                    at=utc_text(attempt.at),
                    duration_ms=round(attempt.duration.total_seconds() * 1000),
                    status_code=attempt.sent.status_code,
                    response_body=attempt.sent.response_body,
                    error=attempt.sent.error,
                )
                for attempt in delivery.attempts
            ],
            "next_attempt_at": utc_text(delivery.next_attempt_at),
            "created_at": utc_text(delivery.created_at),
        }
    )

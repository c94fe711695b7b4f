"""Sends deliveries to each webhook endpoint, on the documented schedule, each endpoint in a lane of its own.

Source: Bota's REFERENCE.md, "Webhooks" (P): a status other than 2xx, a refused connection, 30 s without an answer
and a TLS error are failures; attempts are made at once, then after 1 min, 5 min, 30 min, 2 h, 8 h.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.database.port import ServerAway
from adapters.one_thread import OneThread
from adapters.webhooks.deliveries import Due, Endpoint
from adapters.webhooks.sender import Sent, WebhookSender
from adapters.webhooks.signing import signed_headers
from adapters.webhooks.store import WebhookStore
from service.application.clock import Clock
from service.application.metrics import Metrics

logger = logging.getLogger(__name__)

DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
)
"""After each failed attempt, in turn. One more failure, and the delivery has failed."""

TIMEOUT = timedelta(seconds=30)

CONCURRENT_SENDINGS = 8
"""Deliveries to one endpoint at a time, for different recordings: one recording's go one after another."""

LONGEST_NAP_SECONDS = 60.0
"""How long a lane trusts its alarm: the machine's clock may be set, or the machine may sleep, meanwhile."""

RESTART_SECONDS = 1.0

KEPT_FOR = timedelta(days=30)
"""How long the outcome of a delivery is kept and it can be sent again."""

PRUNING_SECONDS = 3_600.0


class WebhookDelivery:
    """The lanes of all endpoints. `wake` and `endpoints_changed` may be called at any time, even before it runs."""

    name = "webhook delivery"

    def __init__(
        self, store: WebhookStore, thread: OneThread, sender: WebhookSender, *, clock: Clock, metrics: Metrics
    ) -> None:
        self._store = store
        self._thread = thread
        self._sender = sender
        self._clock = clock
        self._metrics = metrics
        self._lanes: dict[str, _Lane] = {}
        self._changed = asyncio.Event()
        self._changed.set()

    def wake(self, endpoint_ids: Iterable[str] | None = None) -> None:
        """Something may be due at these endpoints or, for None, at any: there is more to send, or the clock was set."""
        for endpoint_id in list(self._lanes) if endpoint_ids is None else endpoint_ids:
            if endpoint_id in self._lanes:
                self._lanes[endpoint_id].woken.set()

    def endpoints_changed(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        """Keep a lane for every endpoint, until cancelled."""
        try:
            while True:
                self._changed.clear()
                endpoints = {one.id: one for one in await self._thread.run(self._store.endpoints)}
                await self._stop([gone for gone in self._lanes if gone not in endpoints])
                for endpoint_id in endpoints.keys() - self._lanes.keys():
                    self._lanes[endpoint_id] = self._open(endpoints[endpoint_id])
                await self._thread.run(self._store.prune, before=self._clock() - KEPT_FOR)
                with suppress(TimeoutError):
                    async with asyncio.timeout(PRUNING_SECONDS):
                        await self._changed.wait()
        finally:
            await self._stop(list(self._lanes))

    def _open(self, endpoint: Endpoint) -> "_Lane":
        lane = _Lane(endpoint, self._store, self._thread, self._sender, self._clock, self._metrics)
        lane.task = asyncio.create_task(lane.run(), name=f"webhook lane {endpoint.id}")
        return lane

    async def _stop(self, endpoint_ids: list[str]) -> None:
        tasks = [lane.task for lane in map(self._lanes.pop, endpoint_ids) if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class _Sending:
    """An attempt under way. `too_late` ends it: only the lane knows the time."""

    began_at: datetime
    too_late: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def deadline(self) -> datetime:
        return self.began_at + TIMEOUT


@dataclass(slots=True, eq=False)
class _Lane:
    """One endpoint's deliveries. It shares nothing with other lanes that a slow receiver could block."""

    endpoint: Endpoint
    store: WebhookStore
    thread: OneThread
    sender: WebhookSender
    clock: Clock
    metrics: Metrics
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    sendings: dict[int, _Sending] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    secret: str = field(default="", repr=False)

    async def run(self) -> None:
        try:
            while True:
                try:
                    self.secret = await self.thread.run(self.store.secret_of, self.endpoint.id)
                    await self._follow_the_clock()
                except ServerAway as error:
                    about = {"webhook_id": self.endpoint.id, "because": str(error)}
                    logger.warning("webhook lane waits for the database", extra=about)
                    await asyncio.sleep(RESTART_SECONDS)
                except Exception:
                    logger.exception("webhook lane stopped; it starts again", extra={"webhook_id": self.endpoint.id})
                    await asyncio.sleep(RESTART_SECONDS)
        finally:
            tasks = [sending.task for sending in self.sendings.values() if sending.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow_the_clock(self) -> None:
        while True:
            self.woken.clear()
            now = self.clock()
            for sending in self.sendings.values():
                if sending.deadline <= now:
                    sending.too_late.set()
            if len(self.sendings) < CONCURRENT_SENDINGS:
                await self._begin_due(now)
            await self._sleep_until(await self._next_moment(now))

    async def _begin_due(self, now: datetime) -> None:
        # Those under way are still due in the store, so the query asks for that many more.
        due = await self.thread.run(self.store.due, self.endpoint.id, now=now, limit=CONCURRENT_SENDINGS * 2)
        for one in due:
            if one.sequence not in self.sendings and len(self.sendings) < CONCURRENT_SENDINGS:
                sending = self.sendings[one.sequence] = _Sending(now)
                sending.task = asyncio.create_task(self._attempt(one, sending), name=f"webhook {one.event_id}")

    async def _next_moment(self, now: datetime) -> datetime | None:
        moments = [sending.deadline for sending in self.sendings.values() if not sending.too_late.is_set()]
        next_due_at = await self.thread.run(self.store.next_due_at, self.endpoint.id, after=now)
        return min(moments if next_due_at is None else [*moments, next_due_at], default=None)

    async def _sleep_until(self, moment: datetime | None) -> None:
        """Sleep until `moment` by the clock, or until woken."""
        seconds = None
        if moment is not None:
            seconds = min(max((moment - self.clock()).total_seconds(), 0.0), LONGEST_NAP_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.woken.wait()

    async def _attempt(self, due: Due, sending: _Sending) -> None:
        try:
            sent = await self._send_in_time(due, sending)
            ended_at = self.clock()
            retry_at = ended_at + DELAYS[due.tries] if due.tries < len(DELAYS) else None
            await self.thread.run(self.store.record, due.sequence, sending.began_at, ended_at, sent, retry_at)
            self._tell(due, sent, retry_at)
        except ServerAway as error:
            about = {**self._about(due), "because": str(error)}
            logger.warning("webhook attempt not recorded; it is made again", extra=about)
            await asyncio.sleep(RESTART_SECONDS)
        except Exception:
            logger.exception("webhook attempt not recorded; it is made again", extra=self._about(due))
            await asyncio.sleep(RESTART_SECONDS)
        finally:
            self.sendings.pop(due.sequence, None)
            self.woken.set()

    async def _send_in_time(self, due: Due, sending: _Sending) -> Sent:
        headers = signed_headers(self.secret, due.event_id, due.body, now=self.clock())
        send = asyncio.create_task(self.sender.send(self.endpoint.url, due.body, headers))
        too_late = asyncio.create_task(sending.too_late.wait())
        try:
            await asyncio.wait({send, too_late}, return_when=asyncio.FIRST_COMPLETED)
            if send.done():
                return send.result()
            return Sent(error=f"No answer within {TIMEOUT.seconds} seconds.")
        finally:
            send.cancel()
            too_late.cancel()
            await asyncio.gather(send, too_late, return_exceptions=True)

    def _tell(self, due: Due, sent: Sent, retry_at: datetime | None) -> None:
        outcome = "delivered" if sent.is_accepted else "failed" if retry_at is None else "retried"
        self.metrics.webhook_attempts.labels(outcome).inc()
        if not sent.is_accepted:
            logger.warning(
                "webhook not delivered",
                extra={**self._about(due), "status": sent.status_code, "because": sent.error, "again_at": retry_at},
            )

    def _about(self, due: Due) -> dict[str, str]:
        return {"webhook_id": self.endpoint.id, "event_id": due.event_id}

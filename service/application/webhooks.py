"""A project's webhook endpoints, and what was delivered to them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from adapters.one_thread import OneThread
from adapters.quotas import Quota
from adapters.webhooks.deliveries import Delivery, Endpoint, WholeDelivery
from adapters.webhooks.sender import WebhookSender
from adapters.webhooks.signing import new_secret
from adapters.webhooks.store import WebhookStore
from service.application.clock import Clock
from service.application.quotas import Quotas, reached


class Delivering(Protocol):
    """Sends deliveries."""

    def wake(self, endpoint_ids: Iterable[str] | None = None) -> None:
        """Something may be due at these endpoints or, for None, at any."""
        ...

    def endpoints_changed(self) -> None: ...


class Log(Protocol):
    async def newest_head(self) -> int:
        """The position of the last event. Raises: LogUnavailable."""
        ...


class WebhookNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such webhook.")


class DeliveryNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such delivery.")


class Webhooks:
    """All endpoints of all projects. To a project, the endpoints of others do not exist."""

    def __init__(
        self,
        store: WebhookStore,
        thread: OneThread,
        sender: WebhookSender,
        delivering: Delivering,
        *,
        quotas: Quotas,
        log: Log,
        clock: Clock,
    ) -> None:
        self._quotas = quotas
        self._store = store
        self._thread = thread
        self._sender = sender
        self._delivering = delivering
        self._log = log
        self._clock = clock

    async def register(
        self, endpoint_id: str, project_id: str, *, url: str, events: Sequence[str]
    ) -> tuple[Endpoint, str]:
        """The endpoint and its secret, which is never shown again. The endpoint gets what happens from now on.

        Registered already under this id, as it is. Raises: UrlRefused; QuotaReached.
        """
        found = await self._thread.run(self._store.find, project_id, endpoint_id)
        if found is not None:
            return found, await self._thread.run(self._store.secret_of, endpoint_id)
        await self._sender.check(url)
        endpoint = Endpoint(
            id=endpoint_id,
            project_id=project_id,
            url=url,
            events=tuple(dict.fromkeys(events)),
            created_at=self._clock(),
            after_position=await self._log.newest_head(),
        )
        secret = new_secret()
        most = await self._quotas.most(project_id, Quota.WEBHOOKS)
        await self._thread.run(self._add, endpoint, secret, most)
        self._delivering.endpoints_changed()
        return endpoint, secret

    def _add(self, endpoint: Endpoint, secret: str, most: int | None) -> None:
        """In the one thread that adds any, so that requests at once add no more than `most`. Raises: QuotaReached."""
        used = len(self._store.endpoints(endpoint.project_id))
        if most is not None and used >= most:
            raise reached(Quota.WEBHOOKS, used=used, most=most)
        self._store.add(endpoint, secret)

    async def of_project(self, project_id: str) -> Sequence[Endpoint]:
        """Newest first."""
        return await self._thread.run(self._store.endpoints, project_id)

    async def find(self, project_id: str, endpoint_id: str) -> Endpoint:
        """Raises: WebhookNotFound."""
        found = await self._thread.run(self._store.find, project_id, endpoint_id)
        if found is None:
            raise WebhookNotFound
        return found

    async def remove(self, endpoint: Endpoint) -> None:
        """Remove the endpoint, its secret and its deliveries; they are gone on return."""
        await self._thread.run(self._store.remove, endpoint.id)
        self._delivering.endpoints_changed()

    async def deliveries(self, endpoint: Endpoint, *, limit: int, before: int | None) -> Sequence[Delivery]:
        """At most `limit` deliveries, newest first, with sequence numbers below `before`."""
        return await self._thread.run(self._store.page, endpoint.id, limit=limit, before=before)

    async def delivery(self, endpoint: Endpoint, delivery_id: str) -> WholeDelivery:
        """One delivery, with the body that is sent. Raises: DeliveryNotFound."""
        found = await self._thread.run(self._store.delivery, endpoint.id, delivery_id)
        if found is None:
            raise DeliveryNotFound
        return found

    async def send_again(self, endpoint: Endpoint, delivery_id: str) -> Delivery:
        """Start a delivery's attempts again, whatever came of the earlier ones. Raises: DeliveryNotFound."""
        delivery = await self._thread.run(self._store.send_again, endpoint.id, delivery_id, now=self._clock())
        if delivery is None:
            raise DeliveryNotFound
        self._delivering.wake([endpoint.id])
        return delivery

    async def send_failed_again(self, endpoint: Endpoint) -> int:
        """Start all deliveries again that failed in all their attempts; returns how many."""
        count = await self._thread.run(self._store.send_failed_again, endpoint.id, now=self._clock())
        self._delivering.wake([endpoint.id])
        return count

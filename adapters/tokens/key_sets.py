"""The key sets of all issuers, cached. Keys rotate: an unknown key name makes its set be fetched again, rarely.

An issuer that is down affects nobody while the key is cached (S): a set that cannot be refreshed is kept.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.tokens.allow_list import Issuer
from adapters.tokens.errors import IssuerMisbehaves, IssuerUnavailable, TokenRefused
from adapters.tokens.public_keys import KeySet, PublicKey

logger = logging.getLogger(__name__)

RENEWAL_AGE = timedelta(minutes=15)
"""A set older than this is fetched again in the background, so that a withdrawn key is dropped."""

FRUITLESS_FETCHES = 3
"""How many fetches in a row may bring nothing new. One that does is free: only the issuer can cause it, no client."""

FETCH_REFILL = timedelta(seconds=10)
"""How long it takes until one more of them is allowed."""

Fetch = Callable[[Issuer], Awaitable[KeySet]]
"""Returns an issuer's current keys. Raises: IssuerUnavailable; IssuerMisbehaves."""


@dataclass(slots=True)
class _Cached:
    """What is known of one issuer. `failure` is how the last fetch failed, None if it did not."""

    keys: KeySet | None = None
    fetched_at: datetime | None = None
    failure: IssuerUnavailable | IssuerMisbehaves | None = None
    fetching: asyncio.Task[None] | None = None
    allowance: float = FRUITLESS_FETCHES
    refilled_at: datetime | None = None


class KeySets:
    """Key sets by issuer. For one event loop; all callers that miss the same key share one fetch."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], datetime]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._cached: dict[str, _Cached] = {}

    async def key(self, issuer: Issuer, kid: str | None, algorithm: str) -> PublicKey:
        """The issuer's key of that name, for that algorithm. The name is only ever looked up in the set.

        Raises: TokenRefused when there is none; IssuerUnavailable when that is not known.
        """
        cached = self._cached.setdefault(issuer.name, _Cached())
        if cached.keys is not None and (found := cached.keys.find(kid, algorithm)):
            if cached.fetched_at is not None and self._clock() - cached.fetched_at > RENEWAL_AGE:
                self._begin_fetch(issuer, cached)
            return found
        # The first time, it may join a fetch that started before the key existed.
        for _ in range(2):
            begun_here = cached.fetching is None
            fetching = self._begin_fetch(issuer, cached)
            if fetching is None:
                break
            await asyncio.shield(fetching)
            if cached.keys is not None and (found := cached.keys.find(kid, algorithm)):
                return found
            if begun_here:
                break
        if cached.failure is not None:
            raise cached.failure.with_traceback(None)  # it is raised many times, and must not collect their frames
        raise TokenRefused("The token is signed with a key that its issuer does not have.")

    def _begin_fetch(self, issuer: Issuer, cached: _Cached) -> asyncio.Task[None] | None:
        """The current fetch, or a new one; None when there were too many lately."""
        if cached.fetching is None and self._take_allowance(cached):
            cached.fetching = asyncio.create_task(self._renew(issuer, cached), name=f"keys of {issuer.name}")
        return cached.fetching

    def _take_allowance(self, cached: _Cached) -> bool:
        now = self._clock()
        if cached.refilled_at is not None:
            cached.allowance = min(cached.allowance + (now - cached.refilled_at) / FETCH_REFILL, FRUITLESS_FETCHES)
        cached.refilled_at = now
        if cached.allowance < 1:
            return False
        cached.allowance -= 1
        return True

    async def _renew(self, issuer: Issuer, cached: _Cached) -> None:
        try:
            keys = await self._fetch(issuer)
        except (IssuerUnavailable, IssuerMisbehaves) as failure:
            cached.failure = failure
            because = failure.because if isinstance(failure, IssuerMisbehaves) else repr(failure.__cause__)
            logger.warning("issuer's keys not fetched", extra={"issuer": issuer.name, "because": because})
        else:
            if keys != cached.keys:
                cached.allowance += 1
            cached.keys, cached.fetched_at, cached.failure = keys, self._clock(), None
            logger.info("issuer's keys fetched", extra={"issuer": issuer.name, "keys": len(keys.keys)})
        finally:
            cached.fetching = None

    async def close(self) -> None:
        """Cancel the current fetches."""
        tasks = [cached.fetching for cached in self._cached.values() if cached.fetching is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

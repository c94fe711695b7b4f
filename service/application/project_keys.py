"""A project's API keys, managed with one of its secret keys. Tokens of devices are not among them."""

import logging
from collections.abc import Sequence
from datetime import datetime

from adapters.database.looking_up import in_database_thread
from adapters.keys import Key, KeyKind, KeyNotFound, KeyStore, NewKey
from service.application.clock import Clock

MOST_KEYS = 1_000
"""How many a project may have in force, where they are made over the API: `tapedeck keys create` makes more."""

logger = logging.getLogger(__name__)


class ExpiryPassed(Exception):
    def __init__(self) -> None:
        super().__init__("A key cannot be made to expire before it is made")


class OutlivesMaker(Exception):
    def __init__(self, end: datetime) -> None:
        until = end.isoformat(timespec="seconds")
        super().__init__(f"A key cannot outlive the one that it is made with, which expires at {until}")


class OwnKey(Exception):
    """The key to be revoked is the one that asks."""

    def __init__(self) -> None:
        super().__init__(
            "This is the key that you are asking with. ?own=true revokes it all the same; if it is the project's last "
            "secret key, only `tapedeck keys create` makes another."
        )


class ProjectKeys:
    """All methods are for `asked_with`, a secret key: of the keys of its project. Raises: DatabaseUnavailable.

    Who made or revoked which key is told in the service's log lines, by the keys' ids.
    """

    def __init__(self, keys: KeyStore, *, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    async def page(self, asked_with: Key, *, limit: int, after: str | None) -> Sequence[Key]:
        """At most `limit`, newest first. Raises: KeyNotFound if `after` is no key of the project's."""
        if after is not None:
            await self._find(asked_with, after)
        return await in_database_thread(self._keys.page, asked_with.project_id, limit=limit, after=after)

    async def create(
        self, asked_with: Key, kind: KeyKind, *, scopes: frozenset[str], expires_at: datetime | None, name: str | None
    ) -> NewKey:
        """A test key makes test keys. Raises: ExpiryPassed; OutlivesMaker; TooManyKeys; DatabaseFull; ValueError for
        scopes that are not a restricted key's."""
        if expires_at is not None and expires_at <= self._clock():
            raise ExpiryPassed
        end = asked_with.expires_at
        if end is not None and (expires_at is None or expires_at > end):
            raise OutlivesMaker(end)
        new = await in_database_thread(
            self._keys.create,
            kind,
            project_id=asked_with.project_id,
            scopes=scopes,
            expires_at=expires_at,
            name=name,
            live=asked_with.live,
            most=MOST_KEYS,
        )
        logger.info("key made", extra=_told(asked_with, new.key))
        return new

    async def revoke(self, asked_with: Key, key_id: str, *, even_own: bool) -> None:
        """Refuse the key from the next request on, in every process. Safe to repeat. Raises: KeyNotFound; OwnKey."""
        key = await self._find(asked_with, key_id)
        if key.id == asked_with.id and not even_own:
            raise OwnKey
        await in_database_thread(self._keys.revoke, key.id)
        logger.info("key revoked", extra=_told(asked_with, key))

    async def _find(self, asked_with: Key, key_id: str) -> Key:
        key = await in_database_thread(self._keys.find, key_id)
        if key is None or key.project_id != asked_with.project_id or key.kind is KeyKind.DEVICE:
            raise KeyNotFound(key_id)
        return key


def _told(asked_with: Key, key: Key) -> dict[str, str]:
    return {
        "key_id": key.id,
        "kind": key.kind.value,
        "scopes": " ".join(sorted(key.scopes)),
        "project_id": key.project_id,
        "asked_with": asked_with.id,
    }

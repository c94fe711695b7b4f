"""Who is calling: the key that a request carries, if it is valid."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from adapters.database.looking_up import in_database_thread, looked_up
from adapters.keys import Key, KeyKind, KeyStore
from service.application.clock import Clock
from service.application.gathering import Gathering
from service.application.this_turn import ThisTurn

FindKey = Callable[[str, datetime], Awaitable[Key | None]]
"""The key that a token stands for at that time; None if there is none."""


class Callers:
    """Looks keys up across all projects. `others`: find what keys of other kinds than the stored ones allow.

    All methods may raise DatabaseUnavailable.
    """

    def __init__(self, keys: KeyStore, *, clock: Clock, others: tuple[FindKey, ...] = ()) -> None:
        self._keys = keys
        self._clock = clock
        self._others = others
        self._this_turn = ThisTurn(keys.find)
        self._gathered = Gathering(self._find_each)

    def and_also(self, find: FindKey) -> "Callers":
        """The same, where a token that is none of the stored keys' may also be one that `find` knows."""
        return Callers(self._keys, clock=self._clock, others=(*self._others, find))

    async def key(self, token: str) -> Key | None:
        """The key whose secret is `token`; None if no valid key has it."""
        now = self._clock()
        key = await looked_up(self._keys, self._keys.authenticate, token, now=now)
        for find in self._others:
            key = key or await find(token, now)
        return key

    async def find(self, key_id: str) -> Key | None:
        """The stored key of this id, also if it is revoked or expired."""
        if self._keys.answers_at_once:
            return self._this_turn.of(key_id)
        return await self._gathered.of(key_id)

    async def _find_each(self, key_ids: Sequence[str]) -> Sequence[Key | None]:
        return await in_database_thread(self._keys.find_each, key_ids)

    async def still_stands_for(
        self, key_id: str, *, project_id: str, device_id: str | None, end_user_id: str | None
    ) -> bool:
        """Whether what was permitted with the stored key `key_id` still is: until the key is revoked or expires.

        A device's token expires because the device has a newer one, and is forgotten later. So what it permitted for
        this device and end user is permitted as long as they have any token in force.
        """
        key = await self.find(key_id)
        if key is not None and (key.revoked_at is not None or key.project_id != project_id):
            return False
        if key is not None and (key.expires_at is None or key.expires_at > self._clock()):
            return True
        if device_id is None or (key is not None and key.kind is not KeyKind.DEVICE):
            return False
        tokens = await looked_up(self._keys, self._keys.device_tokens, project_id, device_id=device_id)
        return any(token.end_user_id == end_user_id for token in tokens)

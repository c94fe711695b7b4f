"""Who is calling: the key that a request carries, if it is valid."""

from collections.abc import Callable
from datetime import datetime

from adapters.keys import Key, KeyStore
from service.application.clock import Clock

FindKey = Callable[[str, datetime], Key | None]
"""The key that a token stands for at that time; None if there is none."""


class Callers:
    """Looks keys up across all projects. `others`: find what keys of other kinds than the stored ones allow."""

    def __init__(self, keys: KeyStore, *, clock: Clock, others: tuple[FindKey, ...] = ()) -> None:
        self._keys = keys
        self._clock = clock
        self._others = others

    def and_also(self, find: FindKey) -> "Callers":
        """The same, where a token that is none of the stored keys' may also be one that `find` knows."""
        return Callers(self._keys, clock=self._clock, others=(*self._others, find))

    def key(self, token: str) -> Key | None:
        """The key whose secret is `token`; None if no valid key has it."""
        now = self._clock()
        key = self._keys.authenticate(token, now=now)
        found = (find(token, now) for find in self._others)
        return key or next((other for other in found if other is not None), None)

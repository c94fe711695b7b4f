"""Who is calling: the key that a request carries, if it is valid."""

from adapters.keys import Key, KeyStore
from service.application.clock import Clock


class Callers:
    """Looks keys up across all projects."""

    def __init__(self, keys: KeyStore, *, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def key(self, token: str) -> Key | None:
        """The key whose secret is `token`; None if no valid key has it."""
        return self._keys.authenticate(token, now=self._clock())

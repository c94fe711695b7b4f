"""Who calls: the key that a request carries, if it is in force."""

from adapters.keys import Key, KeyStore
from service.application.clock import Clock


class Callers:
    """Over the keys of all projects."""

    def __init__(self, keys: KeyStore, *, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def key(self, token: str) -> Key | None:
        """The key that `token` is the secret of; None when there is none in force."""
        return self._keys.authenticate(token, now=self._clock())

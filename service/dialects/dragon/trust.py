"""Which tokens Dragon's API accepts: those of issuers on the allow list and of the development issuer, if any."""

from pathlib import Path

from adapters.tokens.allow_list import AllowList, Issuer
from adapters.tokens.allow_list_file import AllowListFile
from adapters.tokens.discovery import Discovery
from adapters.tokens.key_sets import KeySets
from adapters.tokens.public_keys import KeySet
from adapters.tokens.verification import TokenVerifier
from service.application.clock import Clock
from service.dialects.dragon.dev_issuer import DevIssuer


class Trust:
    """A verifier, until it is closed. Create it within a running event loop. Raises, when made: AllowListUnusable."""

    def __init__(self, allow_list: Path | None, dev_issuer: DevIssuer | None, *, clock: Clock) -> None:
        self._file = AllowListFile(allow_list) if allow_list else None
        self._dev_issuer = dev_issuer
        self._clock = clock
        self._discovery = Discovery()
        self._key_sets = KeySets(self._keys, clock=clock)
        self.verifier = TokenVerifier(self._allow_list, self._key_sets, clock=clock)

    def _allow_list(self) -> AllowList:
        listed = self._file.current() if self._file else AllowList()
        return listed.with_issuer(self._dev_issuer.listed) if self._dev_issuer else listed

    async def _keys(self, issuer: Issuer) -> KeySet:
        if self._dev_issuer is not None and issuer.name == self._dev_issuer.name:
            return self._dev_issuer.key.key_set()
        return await self._discovery.keys(issuer, now=self._clock())

    async def close(self) -> None:
        await self._key_sets.close()
        await self._discovery.close()

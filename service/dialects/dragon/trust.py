"""Whom Dragon's API trusts: the allow list in its file, and the development issuer where there is one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.tokens.allow_list import AllowList, Issuer
from adapters.tokens.allow_list_file import AllowListFile
from adapters.tokens.discovery import Discovery
from adapters.tokens.key_sets import KeySets
from adapters.tokens.public_keys import KeySet
from adapters.tokens.verification import TokenVerifier
from service.application.clock import Clock
from service.dialects.dragon.dev_issuer import DevIssuer
from service.runtime.settings import Settings


@asynccontextmanager
async def open_trust(settings: Settings, dev_issuer: DevIssuer | None, *, clock: Clock) -> AsyncIterator[TokenVerifier]:
    """A verifier until the block ends. Raises: AllowListUnusable."""
    file = AllowListFile(settings.allow_list) if settings.allow_list else None
    discovery = Discovery()

    def allow_list() -> AllowList:
        listed = file.current() if file else AllowList()
        return listed.with_issuer(dev_issuer.listed) if dev_issuer else listed

    async def keys(issuer: Issuer) -> KeySet:
        if dev_issuer is not None and issuer.name == dev_issuer.name:
            return dev_issuer.key.key_set()
        return await discovery.keys(issuer, now=clock())

    key_sets = KeySets(keys, clock=clock)
    try:
        yield TokenVerifier(allow_list, key_sets, clock=clock)
    finally:
        await key_sets.close()
        await discovery.close()

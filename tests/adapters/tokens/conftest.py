from datetime import datetime, timedelta

import pytest

from adapters.tokens.allow_list import parse_allow_list
from adapters.tokens.discovery import Discovery
from adapters.tokens.key_sets import KeySets
from adapters.tokens.verification import TokenVerifier
from service.application.clock import utc_now
from tests.adapters.tokens.issuer import IssuerServer


@pytest.fixture
async def issuer():
    server = IssuerServer()
    await server.start()
    yield server
    await server.stop()


class Trust:
    """A verifier that trusts one issuer, with a clock that the test moves."""

    def __init__(self, issuer: IssuerServer, discovery: Discovery) -> None:
        self.allow_list = parse_allow_list(issuer.allow_list())
        self.ahead = timedelta()
        self.stands_at: datetime | None = None
        self.key_sets = KeySets(lambda listed: discovery.keys(listed, now=self.now()), clock=self.now)
        self.verify = TokenVerifier(lambda: self.allow_list, self.key_sets, clock=self.now).verify

    def now(self) -> datetime:
        return (self.stands_at or utc_now()) + self.ahead


@pytest.fixture
def fetch_seconds() -> float:
    """How long an issuer may take. Long: a test of something else shall not hang on it."""
    return 60


@pytest.fixture
async def trust(issuer, fetch_seconds):
    discovery = Discovery(fetch_seconds=fetch_seconds)
    trust = Trust(issuer, discovery)
    yield trust
    await trust.key_sets.close()
    await discovery.close()

"""Claims of a process that works alone."""

import pytest

from adapters.claims.own import OwnClaims
from tests.adapters.claims.contract import ClaimsContract


class TestOwnClaims(ClaimsContract):
    @pytest.fixture
    def claims(self):
        return OwnClaims()


def test_nobody_else_has_any():
    assert not OwnClaims().are_shared

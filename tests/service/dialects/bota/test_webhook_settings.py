"""On an address that others can reach, webhooks do not go inside, unless a setting says so."""

import pytest

from service.runtime.settings import Settings


@pytest.mark.parametrize(
    ("host", "said", "allowed"),
    [
        ("127.0.0.1", None, True),
        ("localhost", None, True),
        ("::1", None, True),
        ("0.0.0.0", None, False),
        ("192.168.0.7", None, False),
        ("tapedeck.example", None, False),
        ("127.0.0.1", False, False),
        ("0.0.0.0", True, True),
    ],
)
def test_private_addresses_are_allowed_in_development_only(host, said, allowed):
    settings = Settings(host=host, public_url="https://tapedeck.example", webhook_private_addresses=said)
    assert settings.allows_private_webhooks is allowed

"""Where others can reach the service, webhooks do not go inside, unless a setting says so."""

import pytest

from service.runtime.settings import Settings

PROXY = "https://tapedeck.example"


@pytest.mark.parametrize(
    ("host", "public_url", "said", "allowed"),
    [
        ("127.0.0.1", None, None, True),
        ("localhost", None, None, True),
        ("::1", None, None, True),
        ("127.0.0.1", PROXY, None, False),
        ("0.0.0.0", PROXY, None, False),
        ("192.168.0.7", PROXY, None, False),
        ("tapedeck.example", None, None, False),
        ("127.0.0.1", None, False, False),
        ("0.0.0.0", PROXY, True, True),
    ],
)
def test_private_addresses_are_allowed_in_development_only(host, public_url, said, allowed):
    settings = Settings(host=host, public_url=public_url, webhook_private_addresses=said)
    assert settings.allows_private_webhooks is allowed

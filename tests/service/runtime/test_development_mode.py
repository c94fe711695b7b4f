"""Development mode is for a service that only this machine can reach, unless it is said otherwise."""

import pytest

from service.runtime.settings import Settings

FROM_A_PAGE = "http://localhost:3000"


@pytest.mark.parametrize(
    ("host", "public_url", "said", "is_on", "because"),
    [
        ("127.0.0.1", None, None, True, "loopback or unset"),
        ("localhost", "http://localhost:9000", None, True, "loopback or unset"),
        ("::1", "http://[::1]:9000", None, True, "loopback or unset"),
        ("127.0.0.1", "http://127.0.0.2", None, True, "loopback or unset"),
        ("127.0.0.1", "https://tapedeck.example", None, False, "TAPEDECK_PUBLIC_URL is https://tapedeck.example"),
        ("127.0.0.1", "http://127.0.0.1.example", None, False, "TAPEDECK_PUBLIC_URL"),
        ("127.0.0.1", "http://localhost.example", None, False, "TAPEDECK_PUBLIC_URL"),
        ("127.0.0.1", "http://192.168.0.7:8080", None, False, "TAPEDECK_PUBLIC_URL"),
        ("0.0.0.0", "http://127.0.0.1:8080", None, False, "TAPEDECK_HOST is 0.0.0.0"),
        ("tapedeck.example", None, None, False, "TAPEDECK_HOST is tapedeck.example"),
        ("127.0.0.1", None, False, False, "TAPEDECK_DEVELOPMENT is false"),
        ("127.0.0.1", None, True, True, "TAPEDECK_DEVELOPMENT is true"),
        ("0.0.0.0", "https://tapedeck.example", True, True, "TAPEDECK_DEVELOPMENT is true"),
    ],
)
def test_it_is_on_only_where_nothing_says_that_others_reach_the_service(host, public_url, said, is_on, because):
    settings = Settings(host=host, public_url=public_url, development=said)
    assert (settings.is_development, because in settings.development_mode.because) == (is_on, True)
    assert (settings.allows_private_webhooks, settings.origins.allowed(FROM_A_PAGE) is not None) == (is_on, is_on)
    exposed = said is True and host != "127.0.0.1"
    assert settings.development_mode.is_exposed is exposed


def test_an_operators_address_without_a_port_is_no_setting_that_does_nothing():
    with pytest.raises(ValueError, match="TAPEDECK_OPERATIONS_HOST needs TAPEDECK_OPERATIONS_PORT"):
        Settings(operations_host="127.0.0.1")

import re

import pytest

from service.dialects.http.origins import Origins
from service.dialects.http.settings import HttpSettings
from service.runtime.settings import BadSettings, load_settings


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        ("https://a.example, http://localhost:8080", "http://localhost:8080"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://localhost", "ionic://localhost"),
        ("app://.", "app://."),
        ("chrome-extension://abcdefghijklmnopabcdefghijklmnop", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
        ("null", "null"),
    ],
)
def test_a_named_origin_may_call_as_a_browser_writes_it(given, origin):
    origins = Origins.parse(given)
    assert origins.allowed(origin) == origin
    assert origins.allowed("https://elsewhere.example") is None
    assert origins.allowed(None) is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com.evil.example",
        "https://evil-app.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com/",
        "HTTPS://APP.EXAMPLE.COM",
        "null",
        "",
    ],
)
def test_an_origin_that_only_looks_like_a_named_one_may_not(origin):
    assert Origins.parse("https://app.example.com").allowed(origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "https://localhost",
        "http://localhost:3000",
        "https://127.0.0.1:8443",
        "http://127.8.9.1",
        "http://[::1]:5173",
    ],
)
def test_in_development_every_origin_of_this_machine_may_call(origin):
    assert HttpSettings(host="127.0.0.1").origins.allowed(origin) == origin
    assert HttpSettings(host="10.0.0.1").origins.allowed(origin) is None
    assert HttpSettings(host="127.0.0.1", cors_origins="none").origins.allowed(origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost:3000.evil.example",
        "http://localhost:",
        "http://10.0.0.1",
        "http://126.0.0.1",
        "http://[::2]",
        "ftp://localhost",
        "capacitor://localhost",
        "null",
        "http://localhost\n",
    ],
)
def test_in_development_no_other_origin_may_call(origin):
    assert HttpSettings().origins.allowed(origin) is None


@pytest.mark.parametrize("origin", ["https://any.example", "null", None])
def test_with_a_star_everybody_may_call(origin):
    assert HttpSettings(cors_origins="*").origins.allowed(origin) == "*"


@pytest.mark.parametrize("origins", [Origins(), Origins.parse("none"), Origins.parse("*")])
def test_where_no_answer_differs_by_origin_that_is_known(origins):
    assert not origins.are_some


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            "https://a.example/",
            "'https://a.example/' is no origin; write scheme://host or scheme://host:port and nothing",
        ),
        ("https://a.example/app", "'https://a.example/app' is no origin"),
        ("https://a.example?x", "'https://a.example?x' is no origin"),
        ("https://user@a.example", "'https://user@a.example' is no origin"),
        (
            "https://*.example",
            "'https://*.example' has a wildcard; name each origin in full, or allow all with * alone",
        ),
        (
            "htp://a.example",
            "'htp://a.example' has a scheme that pages do not have; it must be one of http, https, app",
        ),
        ("wss://a.example", "'wss://a.example' has a scheme that pages do not have"),
        ("a.example", "'a.example' is no origin; write scheme://host or scheme://host:port, *, or none"),
        ("", "'' is no origin"),
        ("https://a.example,", "'' is no origin"),
        ("https://bücher.example", "'https://bücher.example' is no origin"),
        ("https://a.example:0", "'https://a.example:0' has a port that is not between 1 and 65535"),
        ("https://a.example:99999", "'https://a.example:99999' has a port that is not between 1 and 65535"),
        ("http://[::x]", "'http://[::x]' is no origin"),
        ("http://[:::1]", "'http://[:::1]' has no valid address between its brackets"),
        ("*, https://a.example", "* stands alone; leave it out, or leave out the rest"),
        ("https://a.example,none", "none stands alone"),
    ],
)
def test_what_cannot_be_an_origin_gets_one_clear_sentence(given, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        Origins.parse(given)


def test_a_setting_that_cannot_be_used_stops_the_start_with_one_line(monkeypatch):
    monkeypatch.setenv("TAPEDECK_CORS_ORIGINS", "https://a.example/")
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert str(refused.value) == (
        "TAPEDECK_CORS_ORIGINS is 'https://a.example/', which cannot be used: 'https://a.example/' is no origin; write "
        "scheme://host or scheme://host:port and nothing after it."
    )

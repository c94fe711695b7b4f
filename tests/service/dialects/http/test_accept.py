"""What a client prefers, as RFC 9110 has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.http.accept import preferred

OFFERED = ("application/json", "text/plain", "text/vtt")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("text/vtt", "text/vtt"),
        ("TEXT/VTT", "text/vtt"),
        ("text/vtt;charset=utf-8", "text/vtt"),
        ("text/vtt, */*", "application/json"),
        ("text/vtt, */*;q=0.9", "text/vtt"),
        ("text/plain, application/json, application/cbor, application/*+json, */*", "application/json"),
        ("application/json;q=0.9, */*", "application/json"),
        ("text/*", "text/plain"),
        ("text/*, text/vtt", "text/vtt"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/plain, application/json", "application/json"),
        ("text/plain, application/json;q=0.5", "text/plain"),
        ("text/plain;q=0.5, text/vtt;q=0.9, application/json;q=0.1", "text/vtt"),
        ("text/vtt;q=0, text/*", "text/plain"),
        ("text/vtt;q=0.5 , text/plain ; Q=0.7", "text/plain"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("image/png", None),
        ("*/*;q=0", None),
        ("text/vtt;q=high, text/plain;q=0.2", "text/plain"),
        ('text/vtt;title="a, text/plain;q=1"', "text/vtt"),
        ("nonsense", "application/json"),
    ],
)
def test_the_most_preferred_of_what_is_offered_is_chosen(accept: str, chosen: str | None) -> None:
    assert preferred([accept], OFFERED) == chosen


def test_no_header_accepts_anything_and_several_are_one() -> None:
    assert preferred([], OFFERED) == "application/json"
    assert preferred(["text/plain;q=0.5", "text/vtt"], OFFERED) == "text/vtt"


@given(st.text(max_size=60) | st.text('*/;,q=01. "\\atextvplin', max_size=60))
def test_whatever_is_sent_one_of_the_offered_or_none_is_chosen(accept: str) -> None:
    assert preferred([accept], OFFERED) in (*OFFERED, None)

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.private_files import DamagedKey
from service.dialects.http.signed_urls import SignatureRefused, UrlSigner

NOW = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=4)
Text = st.text(max_size=12)


def parsed(query):
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


@given(purpose=Text, subject=Text)
def test_what_was_signed_is_good_until_it_expires(purpose, subject):
    signer = UrlSigner(b"k" * 32)
    query = parsed(signer.query(purpose, subject, LATER))
    signer.check(purpose, subject, query, now=LATER - timedelta(seconds=1))
    with pytest.raises(SignatureRefused, match="expired at 2026-01-13T14:00:00Z"):
        signer.check(purpose, subject, query, now=LATER)


@given(signed=st.tuples(Text, Text), asked=st.tuples(Text, Text))
def test_a_signature_is_good_for_nothing_else(signed, asked):
    signer = UrlSigner(b"k" * 32)
    query = parsed(signer.query(*signed, LATER))
    if signed == asked:
        signer.check(*asked, query, now=NOW)
    else:
        with pytest.raises(SignatureRefused, match="not valid"):
            signer.check(*asked, query, now=NOW)


@given(field=st.sampled_from(["expires", "signature"]), value=st.text())
def test_a_query_that_was_tampered_with_is_refused(field, value):
    signer = UrlSigner(b"k" * 32)
    query = parsed(signer.query("upload", "rec_1", LATER))
    if value != query[field]:
        with pytest.raises(SignatureRefused):
            signer.check("upload", "rec_1", query | {field: value}, now=NOW)


def test_another_services_signature_is_refused():
    query = parsed(UrlSigner(b"a" * 32).query("upload", "rec_1", LATER))
    with pytest.raises(SignatureRefused):
        UrlSigner(b"b" * 32).check("upload", "rec_1", query, now=NOW)


@pytest.mark.parametrize("query", [{}, {"expires": "9"}, {"signature": "x"}])
def test_a_url_without_a_signature_says_so(query):
    with pytest.raises(SignatureRefused, match="no signature"):
        UrlSigner(b"a" * 32).check("upload", "rec_1", query, now=NOW)


def test_a_signer_made_again_has_the_key_that_was_made_first(tmp_path):
    query = parsed(UrlSigner.with_key_file(tmp_path / "one").query("upload", "rec_1", LATER))
    UrlSigner.with_key_file(tmp_path / "one").check("upload", "rec_1", query, now=NOW)
    with pytest.raises(SignatureRefused):
        UrlSigner.with_key_file(tmp_path / "two").check("upload", "rec_1", query, now=NOW)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_key_that_is_none_is_refused_because_anyone_could_sign_with_it(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(DamagedKey, match="not a signing key"):
        UrlSigner.with_key_file(tmp_path / "key")

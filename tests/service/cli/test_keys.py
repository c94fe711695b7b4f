"""`tapedeck keys`: make, list, revoke."""

import re

import pytest
from click.testing import CliRunner

from adapters.keys import KeyStore
from service.application.clock import utc_now
from service.cli import main


@pytest.fixture
def keys(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path / "data"))
    return lambda *arguments: CliRunner().invoke(main, ["keys", *arguments])


@pytest.mark.parametrize(
    ("options", "prefix"),
    [
        ([], "sk_live_"),
        (["--test"], "sk_test_"),
        (["--kind", "restricted", "--scope", "recordings:read", "--scope", "webhooks:write"], "rk_live_"),
        (["--kind", "device", "--device", "dev_1", "--end-user", "eu_1", "--days", "30"], "dtok_"),
        (["--kind", "upload", "--recording", "rec_1", "--minutes", "15"], "up_"),
        (["--kind", "client"], "ck_"),
        (["--kind", "restricted", "--scope", "consultations:write"], "rk_live_"),
    ],
)
def test_a_key_of_each_kind_is_made_listed_and_revoked_at_once(keys, tmp_path, options, prefix):
    made = keys("create", "--project", "proj_1", "--name", "ward 3", *options)
    assert made.exit_code == 0, made.output
    token = made.stdout.strip()
    assert re.fullmatch(rf"{prefix}[A-Za-z0-9]{{45}}", token)
    key_id = token.removeprefix(prefix)[:12]
    listed = keys("list", "--project", "proj_1").output
    assert key_id in listed
    assert "in force" in listed
    assert "ward 3" in listed
    assert token not in listed
    for value in options[1::2]:
        assert value in listed or value in ("30", "15")
    store = KeyStore(tmp_path / "data" / "keys.sqlite3", clock=utc_now)
    assert store.authenticate(token, now=utc_now()) is not None
    assert keys("revoke", key_id).exit_code == 0
    assert store.authenticate(token, now=utc_now()) is None
    assert "revoked" in keys("list").output
    store.close()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--kind", "restricted", "--scope", "recordings:burn"], "recordings:burn"),
        (["--scope", "recordings:read"], "has no scopes"),
        (["--kind", "device", "--device", "dev_1"], "the device and the end user"),
        (["--kind", "upload", "--recording", "rec_1", "--project", "proj_1"], "and when it expires"),
        (["--kind", "upload", "--recording", "rec_1", "--minutes", "5"], "--project"),
        (["--project", "mine"], "proj_"),
        (["--project", "proj_a-b"], "proj_"),
        (["--kind", "device", "--device", "dev 1", "--end-user", "eu_1"], "dev_"),
        (["--minutes", "5", "--days", "1"], "not both"),
        (["--days", "0"], "0"),
        (["--days", "1e300"], "too far in the future"),
        (["--days", "nan"], "'nan' is not a number of days or minutes."),
        (["--minutes", "nan"], "'nan' is not a number of days or minutes."),
    ],
)
def test_a_key_that_would_mean_nothing_is_not_made(keys, options, sentence):
    refused = keys("create", *options)
    assert refused.exit_code != 0
    assert sentence in refused.output
    assert keys("list").output == ""


def test_revoking_what_there_is_not_says_so(keys):
    assert "There is no key" in keys("revoke", "nobody").output

"""Tokens are shown once, stored as hashes, and worth nothing from the moment they are revoked or over."""

import hmac
import itertools
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.database.port import Place
from adapters.keys import Key, KeyKind, KeyNotFound, KeyStore, TooManyKeys
from adapters.sqlite_file import DatabaseTooNew
from tests.places import REPOSITORY

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


ONLY_A_FILE = pytest.mark.parametrize("place", ["SQLite"], indirect=True)


@pytest.fixture
def path(place: Path) -> Path:
    """Of a test of files."""
    return place


@pytest.fixture
def store(place: Place) -> Iterator[KeyStore]:
    store = KeyStore(place, clock=lambda: NOW)
    yield store
    store.close()


# --- making


@pytest.mark.parametrize(
    ("kind", "live", "prefix"),
    [
        (KeyKind.SECRET, True, "sk_live_"),
        (KeyKind.SECRET, False, "sk_test_"),
        (KeyKind.RESTRICTED, True, "rk_live_"),
        (KeyKind.RESTRICTED, False, "rk_test_"),
        (KeyKind.DEVICE, True, "dtok_"),
        (KeyKind.UPLOAD, True, "up_"),
        (KeyKind.CLIENT, True, "ck_"),
    ],
)
def test_a_token_tells_its_kind_and_then_has_letters_and_digits_only(
    store: KeyStore, kind: KeyKind, live: bool, prefix: str
) -> None:
    new = store.create(
        kind,
        project_id="proj_1",
        live=live,
        device_id="dev_1",
        end_user_id="eu_1",
        recording_id="rec_1",
        expires_at=NOW + timedelta(minutes=5),
    )
    assert re.fullmatch(rf"{prefix}{new.key.id}[A-Za-z0-9]{{33}}", new.token)
    assert len(new.key.id) == 12
    assert store.authenticate(new.token, now=NOW) == new.key


def test_a_key_comes_back_with_everything_that_was_said_of_it(store: KeyStore) -> None:
    new = store.create(
        KeyKind.RESTRICTED,
        project_id="proj_1",
        scopes=frozenset({"recordings:read", "transcriptions:read"}),
        device_id="dev_1",
        end_user_id="eu_1",
        recording_id="rec_1",
        expires_at=datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        name="Ward 3 · Näherei",
        live=False,
    )
    assert new.key == Key(
        id=new.key.id,
        kind=KeyKind.RESTRICTED,
        project_id="proj_1",
        scopes=frozenset({"recordings:read", "transcriptions:read"}),
        device_id="dev_1",
        end_user_id="eu_1",
        recording_id="rec_1",
        created_at=NOW,
        expires_at=datetime(2026, 1, 1, tzinfo=UTC),
        revoked_at=None,
        name="Ward 3 · Näherei",
        live=False,
    )
    assert store.authenticate(new.token, now=NOW) == new.key
    assert store.list_keys() == [new.key]


def test_no_two_tokens_are_alike(store: KeyStore) -> None:
    tokens = {store.create(KeyKind.SECRET, project_id="proj_1").token for _ in range(100)}
    assert len({token[-33:] for token in tokens}) == 100


@ONLY_A_FILE
def test_random_text_and_clock_are_the_callers(path: Path) -> None:
    counted = itertools.count()
    store = KeyStore(path, clock=lambda: NOW, random_text=lambda length: str(next(counted)).rjust(length, "x"))
    new = store.create(KeyKind.SECRET, project_id="proj_1")
    assert new.token == "sk_live_" + "0".rjust(12, "x") + "1".rjust(33, "x")
    assert new.key.created_at == NOW
    store.close()


@pytest.mark.parametrize("poor", ["", "short", "ö" * 33])
@ONLY_A_FILE
def test_random_text_that_makes_no_token_is_refused(path: Path, poor: str) -> None:
    store = KeyStore(path, clock=lambda: NOW, random_text=lambda _: poor)
    with pytest.raises(ValueError, match="letters and digits"):
        store.create(KeyKind.SECRET, project_id="proj_1")
    assert store.list_keys() == []
    store.close()


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"kind": KeyKind.SECRET, "scopes": frozenset({"recordings:read"})}, "has no scopes"),
        ({"kind": KeyKind.RESTRICTED, "scopes": frozenset({"recordings read"})}, "written like recordings:read"),
        ({"kind": KeyKind.DEVICE, "device_id": "dev_1"}, "the device and the end user"),
        ({"kind": KeyKind.UPLOAD, "recording_id": "rec_1"}, "the recording that it is for, and when it expires"),
        ({"kind": KeyKind.SECRET, "expires_at": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001 - the point
    ],
)
def test_a_key_that_would_mean_nothing_is_not_made(store: KeyStore, given_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        store.create(**{"project_id": "proj_1"} | given_)
    assert store.list_keys() == []


# --- keeping


@ONLY_A_FILE
def test_the_token_is_nowhere_in_the_files_and_nowhere_in_a_repr(store: KeyStore, path: Path) -> None:
    new = store.create(KeyKind.SECRET, project_id="proj_1", name="findable")
    secret = new.token.removeprefix("sk_live_" + new.key.id)
    stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"findable" in stored
    assert secret.encode() not in stored
    assert secret not in repr(new) + str(new) + f"{new!r}" + repr(new.key)


@ONLY_A_FILE
def test_the_files_are_the_owners_alone(store: KeyStore, path: Path) -> None:
    store.create(KeyKind.SECRET, project_id="proj_1")
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["store.sqlite3", "store.sqlite3-shm", "store.sqlite3-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_keys_outlive_the_process(store: KeyStore, place: Place) -> None:
    new = store.create(KeyKind.SECRET, project_id="proj_1")
    store.close()
    again = KeyStore(place, clock=lambda: NOW)
    assert again.authenticate(new.token, now=NOW) == new.key
    again.close()


@ONLY_A_FILE
def test_the_schema_version_is_recorded_and_a_newer_one_is_not_touched(store: KeyStore, path: Path) -> None:
    store.close()
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(DatabaseTooNew, match="version 99"):
        KeyStore(path, clock=lambda: NOW)


@ONLY_A_FILE
def test_several_processes_can_open_a_new_file_at_once(path: Path) -> None:
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; from adapters.keys import *\n"
        "KeyStore(Path(sys.argv[1]), clock=lambda: datetime.now(UTC)).create(KeyKind.SECRET, project_id='proj_1')"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, path], cwd=REPOSITORY) for _ in range(6)]
    assert [process.wait(120) for process in started] == [0] * 6
    store = KeyStore(path, clock=lambda: NOW)
    assert len(store.list_keys("proj_1")) == 6
    store.close()


# --- letting in


def test_a_key_is_over_at_its_end_and_not_before(store: KeyStore) -> None:
    new = store.create(KeyKind.SECRET, project_id="proj_1", expires_at=NOW + timedelta(minutes=5))
    assert store.authenticate(new.token, now=NOW + timedelta(minutes=5, microseconds=-1)) == new.key
    assert store.authenticate(new.token, now=NOW + timedelta(minutes=5)) is None


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda _: "",
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token.swapcase(),
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.replace("sk_live_", "sk_test_"),
        lambda token: token.replace("sk_live_", "dtok_"),
        lambda token: token.replace("sk_live_", "xk_live_"),
        lambda token: token[:-1] + "é",
        lambda token: token[:-1] + "\udc80",
        lambda token: token[:-1] + "٣",
        lambda token: token[:-1] + "\0",
        lambda token: token * 100_000,
        lambda _: "sk_live_" + "A" * 45,
        lambda _: "sk_live_' OR 1=1 --",
    ],
)
def test_a_token_that_is_off_by_anything_lets_nobody_in(store: KeyStore, spoiled: Callable[[str], str]) -> None:
    token = store.create(KeyKind.SECRET, project_id="proj_1").token
    assert store.authenticate(spoiled(token), now=NOW) is None


@given(st.text() | st.from_regex(r"(sk_live|rk_test|dtok|up)_[A-Za-z0-9]{45}", fullmatch=True))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_that_was_not_given_out_lets_anybody_in(store: KeyStore, text: str) -> None:
    assert store.authenticate(text, now=NOW) is None


def test_an_unknown_id_is_compared_like_a_known_one(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    compare = hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        compared.append(len(other))
        return compare(one, other)

    token = store.create(KeyKind.SECRET, project_id="proj_1").token
    monkeypatch.setattr(hmac, "compare_digest", counted)
    store.authenticate(token, now=NOW)
    store.authenticate("sk_live_" + "A" * 45, now=NOW)
    assert compared == [32, 32]


def test_a_revoked_key_is_refused_at_once_and_stays_on_the_list(store: KeyStore) -> None:
    new, other = (store.create(KeyKind.SECRET, project_id="proj_1") for _ in range(2))
    assert store.authenticate(new.token, now=NOW) is not None
    store.revoke(new.key.id)
    assert store.authenticate(new.token, now=NOW) is None
    assert store.authenticate(other.token, now=NOW) == other.key
    assert {key.id: key.revoked_at for key in store.list_keys()} == {new.key.id: NOW, other.key.id: None}


@ONLY_A_FILE
def test_revoking_again_keeps_the_first_time_and_an_unknown_key_is_an_error(path: Path) -> None:
    times = itertools.count()
    store = KeyStore(path, clock=lambda: NOW + timedelta(seconds=next(times)))
    key_id = store.create(KeyKind.SECRET, project_id="proj_1").key.id
    store.revoke(key_id)
    store.revoke(key_id)
    assert store.list_keys()[0].revoked_at == NOW + timedelta(seconds=1)
    with pytest.raises(KeyNotFound, match="nobody"):
        store.revoke("nobody")
    store.close()


@ONLY_A_FILE
def test_what_another_process_revokes_is_refused_from_then_on(store: KeyStore, path: Path) -> None:
    new = store.create(KeyKind.SECRET, project_id="proj_1")
    assert store.authenticate(new.token, now=NOW) == new.key
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; from adapters.keys import KeyStore\n"
        "KeyStore(Path(sys.argv[1]), clock=lambda: datetime.now(UTC)).revoke(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", program, path, new.key.id], cwd=REPOSITORY, check=True, timeout=120)
    assert store.authenticate(new.token, now=NOW) is None


def test_what_is_revoked_beside_it_is_refused_from_then_on(store: KeyStore, place: Place) -> None:
    new = store.create(KeyKind.SECRET, project_id="proj_1")
    beside = KeyStore(place, clock=lambda: NOW)
    assert beside.authenticate(new.token, now=NOW) == new.key
    beside.revoke(new.key.id)
    assert store.authenticate(new.token, now=NOW) is None
    beside.close()


@ONLY_A_FILE
def test_a_look_up_does_not_wait_for_a_writer(store: KeyStore, path: Path) -> None:
    new = store.create(KeyKind.SECRET, project_id="proj_1")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    assert store.authenticate(new.token, now=NOW) == new.key
    writer.close()


def test_keys_are_listed_by_project_oldest_first(place: Place) -> None:
    times = itertools.count()
    store = KeyStore(place, clock=lambda: NOW + timedelta(microseconds=next(times)))
    ids = [store.create(KeyKind.SECRET, project_id=project).key.id for project in ("a", "b", "a")]
    assert [key.id for key in store.list_keys()] == ids
    assert [key.id for key in store.list_keys("a")] == [ids[0], ids[2]]
    assert store.list_keys("c") == []
    store.close()


def test_several_keys_are_found_at_once_in_the_order_asked_for(store: KeyStore) -> None:
    one, other = (store.create(KeyKind.SECRET, project_id="clinic-a", scopes=frozenset()).key for _ in range(2))
    asked_for = [other.id, "unknown", one.id, other.id]
    assert store.find_each(asked_for) == [other, None, one, other] == [store.find(key_id) for key_id in asked_for]
    store.revoke(one.id)
    (found,) = store.find_each([one.id])
    assert found is not None
    assert found.revoked_at == NOW


def test_the_pages_of_a_projects_keys_are_newest_first_and_without_the_tokens_of_devices(place: Place) -> None:
    times = itertools.count()
    store = KeyStore(place, clock=lambda: NOW + timedelta(microseconds=next(times) // 2))  # two keys at each time
    device = {"device_id": "dev_1", "end_user_id": "eu_1"}
    made = [store.create(KeyKind.SECRET, project_id="a").key for _ in range(5)]
    store.create(KeyKind.DEVICE, project_id="a", **device)
    store.create(KeyKind.RESTRICTED, project_id="b", scopes=frozenset({"recordings:read"}))
    store.revoke(made[1].id)
    newest_first = sorted(made, key=lambda key: (key.created_at, key.id), reverse=True)
    pages: list[str] = []
    while page := store.page("a", limit=2, after=pages[-1] if pages else None):
        pages += [key.id for key in page]
    assert pages == [key.id for key in newest_first]
    assert store.page("c", limit=2, after=None) == []
    store.close()


def test_a_project_has_at_most_so_many_keys_in_force_where_that_is_asked_for(place: Place) -> None:
    now = NOW
    store = KeyStore(place, clock=lambda: now)
    first = store.create(KeyKind.SECRET, project_id="a", most=2).key
    store.create(KeyKind.SECRET, project_id="a", expires_at=NOW + timedelta(hours=1), most=2)
    store.create(KeyKind.DEVICE, project_id="a", device_id="dev_1", end_user_id="eu_1")
    with pytest.raises(TooManyKeys, match="has 2 keys in force"):
        store.create(KeyKind.SECRET, project_id="a", most=2)
    assert len(store.list_keys("a")) == 3
    store.create(KeyKind.SECRET, project_id="b", most=2)
    now = NOW + timedelta(hours=1)  # one has expired
    store.create(KeyKind.SECRET, project_id="a", most=2)
    store.revoke(first.id)
    store.create(KeyKind.SECRET, project_id="a", most=2)
    with pytest.raises(TooManyKeys):
        store.create(KeyKind.SECRET, project_id="a", most=2)
    store.close()


# --- allowing


def test_each_kind_allows_what_the_table_says(store: KeyStore) -> None:
    secret = store.create(KeyKind.SECRET, project_id="p").key
    reader = store.create(KeyKind.RESTRICTED, project_id="p", scopes=frozenset({"recordings:read"})).key
    device = store.create(KeyKind.DEVICE, project_id="p", device_id="dev_1", end_user_id="eu_1").key
    upload = store.create(
        KeyKind.UPLOAD, project_id="p", recording_id="rec_1", expires_at=NOW + timedelta(minutes=5)
    ).key
    allowed = {
        key.kind.value: [
            scope for scope in ("recordings:read", "recordings:write", "webhooks:write") if key.allows(scope)
        ]
        for key in (secret, reader, device, upload)
    }
    assert allowed == {
        "secret": ["recordings:read", "recordings:write", "webhooks:write"],
        "restricted": ["recordings:read"],
        "device": ["recordings:write"],
        "upload": [],
    }


def test_a_key_cannot_be_changed(store: KeyStore) -> None:
    key = store.create(KeyKind.SECRET, project_id="proj_1").key
    with pytest.raises(FrozenInstanceError):
        key.project_id = "proj_2"  # type: ignore[misc]

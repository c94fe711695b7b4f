import stat

import pytest

from adapters.private_files import (
    DamagedKey,
    load_or_create,
    load_or_create_key,
    make_private_directory,
    write_private_file,
)
from adapters.tokens.signing import SigningKey
from adapters.webhooks.signing import sealer_of_secrets


def key_in(path):
    return load_or_create_key(path, 32, name="signing key", if_lost="URLs signed before are void")


def test_a_key_is_random_made_once_and_its_owners_alone(tmp_path):
    key = key_in(tmp_path / "one")
    assert key_in(tmp_path / "one") == key
    assert key_in(tmp_path / "two") != key
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_key_of_another_length_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(DamagedKey) as refused:
        key_in(tmp_path / "key")
    assert str(refused.value) == (
        f"{tmp_path}/key is not a signing key of 32 bytes; restore it, or remove it: then a new one is made, and URLs "
        "signed before are void."
    )


@pytest.mark.parametrize(
    ("opened", "is_not"), [(SigningKey.load_or_create, "a P-256 key"), (sealer_of_secrets, "a key for webhooks")]
)
def test_whatever_the_key_is_for_a_damaged_one_is_told_likewise(tmp_path, opened, is_not):
    path = tmp_path / "key"
    opened(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DamagedKey, match=rf"key is not {is_not}.*; restore it, or remove it: .*\.$"):
        opened(path)


def test_what_another_process_made_meanwhile_is_what_counts(tmp_path):
    def too_late():
        write_private_file(tmp_path / "key", b"the other's")
        return b"mine"

    assert load_or_create(tmp_path / "key", too_late) == b"the other's"
    assert load_or_create(tmp_path / "key", too_late) == b"the other's"


def test_a_file_is_replaced_as_a_whole_and_stays_private(tmp_path):
    path = tmp_path / "file"
    (tmp_path / "file.unfinished").write_bytes(b"left by a crash")
    for content in (b"one", b"another"):
        write_private_file(path, content)
        assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_is_made_with_those_above_it_for_its_owner_alone(tmp_path):
    make_private_directory(tmp_path / "a" / "b")
    make_private_directory(tmp_path / "a" / "b")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a", tmp_path / "a" / "b")} == {0o700}

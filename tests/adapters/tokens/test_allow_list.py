"""The allow list: what it says, the line that is wrong, and that a mistake leaves the old list in force."""

import logging

import pytest

from adapters.tokens.allow_list import AllowListMistake, parse_allow_list
from adapters.tokens.allow_list_file import AllowListFile, AllowListUnusable
from tests.adapters.tokens.issuer import CUSTOMER, OTHER, PARTNER, PRODUCT

GOOD = f"""\
# Whom we trust.
[[issuers]]
issuer = "https://login.example.com/one/v2.0"
audiences = ["api://tapedeck", "tapedeck"]
key_hosts = ["keys.example.com"]

[[issuers.applications]]
id = "first"
customers = ["{CUSTOMER.upper()}"]
partners = ["{PARTNER}"]
products = [
    "{PRODUCT}",
    "{OTHER}",
]

[[issuers.applications]]
id = "second"
customers = ["{CUSTOMER}"]
partners = ["{PARTNER}"]
products = ["{PRODUCT}"]

[[issuers]]
issuer = "https://login.example.com/two"
audiences = ["tapedeck"]
"""


def test_a_list_says_who_may_write_for_whom():
    issuers = parse_allow_list(GOOD).issuers
    assert list(issuers) == ["https://login.example.com/one/v2.0", "https://login.example.com/two"]
    one, two = issuers.values()
    assert (one.audiences, one.key_hosts) == ({"api://tapedeck", "tapedeck"}, {"keys.example.com"})
    assert list(one.applications) == ["first", "second"]
    assert one.applications["first"].customers == {CUSTOMER}
    assert one.applications["first"].products == {PRODUCT, OTHER}
    assert two.applications == {}


def test_an_empty_list_trusts_nobody():
    assert parse_allow_list("").issuers == {}


@pytest.mark.parametrize(
    ("written", "instead", "line", "what"),
    [
        ("# Whom we trust.", "whom we trust", 1, "not TOML"),
        ('id = "second"', 'id = "second', 17, "not TOML"),
        ('"tapedeck"]\nkey_hosts', '"tapedeck"\nkey_hosts', 5, "not TOML"),
        ("[[issuers]]\nissuer = ", "[issuers]\nissuer = ", 22, "not TOML"),
        ('audiences = ["tapedeck"]', "", 22, "audiences is missing"),
        ('id = "second"\n', "", 16, "id is missing"),
        (f'partners = ["{PARTNER}"]\nproducts = ["', 'products = ["', 16, "partners is missing"),
        ('audiences = ["tapedeck"]', 'audiences = ["tapedeck"]\naudience = ["x"]', 25, "audience is not a setting"),
        ('audiences = ["tapedeck"]', "audiences = []", 24, "audiences"),
        ('audiences = ["tapedeck"]', 'audiences = "tapedeck"', 24, "audiences"),
        (f'    "{OTHER}",', '    "not-a-uuid",', 13, "products"),
        (f'customers = ["{CUSTOMER}"]', 'customers = ["*"]', 18, "customers"),
        ('id = "second"', "id = 7", 17, "id"),
        ('id = "second"', 'id = "first"', 17, "application first is listed twice"),
        ("login.example.com/two", "login.example.com/one/v2.0", 23, "on the list twice"),
        ("https://login.example.com/two", "http://login.example.com/two", 23, "https"),
        ("https://login.example.com/two", "https://user@login.example.com", 23, "https"),
        ("https://login.example.com/two", "login.example.com", 23, "https"),
        ("https://login.example.com/two", "https://[login", 23, "https"),
        ('key_hosts = ["keys.example.com"]', 'key_hosts = ["https://keys.example.com/"]', 5, "key_hosts"),
        ('id = "second"', 'id = "second"\nname = "x"', 18, "name is not a setting"),
        (GOOD, "issuers = 7", 1, "issuers"),
        (GOOD, "# Nobody.\nissuer = []", 2, "issuer is not a setting"),
    ],
)
def test_a_mistake_is_named_with_its_line(written, instead, line, what):
    assert written in GOOD
    with pytest.raises(AllowListMistake, match=what) as mistake:
        parse_allow_list(instead.join(GOOD.rsplit(written, 1)))
    assert mistake.value.line == line


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "allow.toml"
    path.write_text(GOOD)
    return path


def test_a_changed_file_is_in_force_at_once(path):
    file = AllowListFile(path)
    assert len(file.current().issuers) == 2
    path.write_text(GOOD.split('[[issuers]]\nissuer = "https://login.example.com/two', maxsplit=1)[0])
    assert len(file.current().issuers) == 1
    replacement = path.with_suffix(".new")
    replacement.write_text("")
    replacement.replace(path)
    assert file.current().issuers == {}


def test_a_mistake_leaves_the_old_list_in_force_and_is_said_once_with_its_line(path, caplog):
    file = AllowListFile(path)
    path.write_text(GOOD.replace('id = "second"', "id = 7"))
    with caplog.at_level(logging.INFO):
        assert len(file.current().issuers) == 2
        assert len(file.current().issuers) == 2
    (record,) = caplog.records
    assert record.because.startswith(f"The allow list {path} cannot be used: line 17: id: ")
    path.write_text("")
    assert file.current().issuers == {}


def test_a_file_that_is_gone_leaves_the_old_list_in_force(path, caplog):
    file = AllowListFile(path)
    path.unlink()
    assert len(file.current().issuers) == 2
    assert "no such file" in caplog.records[0].because
    path.write_text("")
    assert file.current().issuers == {}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[[issuers]\n", b"\n\n\xe9"])
def test_there_must_be_a_list_to_begin_with(path, content):
    path.write_bytes(content)
    with pytest.raises(AllowListUnusable, match=r"cannot be used: line \d+: not"):
        AllowListFile(path)
    path.unlink()
    with pytest.raises(AllowListUnusable, match="cannot be read: no such file"):
        AllowListFile(path)

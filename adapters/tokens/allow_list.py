"""The allow list, a TOML file: which issuers are trusted, and for whom each of their applications may write.

[[issuers]]
issuer = "https://login.example.com/tenant/v2.0"   # exactly as in the tokens' `iss`
audiences = ["api://tapedeck"]
key_hosts = ["keys.example.com"]                   # optional: hosts of its keys, besides its own

[[issuers.applications]]
id = "the token's azp or appid, else its sub"
customers = ["2c1e6f0e-…"]
partners = ["9b7d4a52-…"]
products = ["5f0c8d31-…"]
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError


@dataclass(frozen=True, slots=True)
class Application:
    """A caller, and the ids that it may write for (Dragon's REFERENCE.md, "Token"). Ids are UUIDs in lower case."""

    id: str
    customers: frozenset[str]
    partners: frozenset[str]
    products: frozenset[str]


@dataclass(frozen=True, slots=True)
class Issuer:
    """A trusted issuer. `key_hosts`: where its keys may be besides its own host, as host or host:port."""

    name: str
    audiences: frozenset[str]
    key_hosts: frozenset[str]
    applications: Mapping[str, Application]


@dataclass(frozen=True, slots=True)
class AllowList:
    issuers: Mapping[str, Issuer] = field(default_factory=dict)

    def with_issuer(self, issuer: Issuer) -> "AllowList":
        return replace(self, issuers={**self.issuers, issuer.name: issuer})


class AllowListMistake(Exception):
    """The file cannot be used. `line` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(line, what)
        self.line = line
        self.what = what

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


def parse_allow_list(text: str) -> AllowList:
    """Read the list in `text`. Raises: AllowListMistake for the first mistake in it."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_mistake(text, str(error)) from None
    places = _Places.of(text)
    try:
        file = _File.model_validate(given)
    except ValidationError as invalid:
        raise min((_mistake(error, places) for error in invalid.errors()), key=lambda mistake: mistake.line) from None
    issuers: dict[str, Issuer] = {}
    for number, issuer in enumerate(file.issuers):
        if issuer.issuer in issuers:
            line = places.line(("issuers", number, "issuer"))
            raise AllowListMistake(line, f"issuer {issuer.issuer} is on the list twice")
        issuers[issuer.issuer] = _issuer(issuer, number, places)
    return AllowList(issuers)


def _syntax_mistake(text: str, said: str) -> AllowListMistake:
    found = re.search(r" \(at line (\d+), column \d+\)$", said)
    line = int(found[1]) if found else text.count("\n") + 1
    return AllowListMistake(line, f"not TOML: {said[: found.start()] if found else said}")


def _mistake(error: Any, places: "_Places") -> AllowListMistake:
    names = [part for part in error["loc"] if isinstance(part, str)]
    name = names[-1] if names else "issuers"
    match error["type"]:
        case "missing":
            what = f"{name} is missing"
        case "extra_forbidden":
            what = f"{name} is not a setting of an allow list"
        case _:
            problem = error["msg"].removeprefix("Value error, ")
            what = f"{name}: {problem[0].lower()}{problem[1:]}"
    return AllowListMistake(places.line(error["loc"], error["input"]), what)


def is_web_address(parts: SplitResult) -> bool:
    """Whether it is https, or http to this machine; without user, query or fragment."""
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _web_address(url: str) -> str:
    try:
        usable = is_web_address(urlsplit(url))
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("Must be an https:// address (http:// only on this machine itself)")
    return url


def _lower(uuid: str) -> str:
    return uuid.lower()


Uuid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"), AfterValidator(_lower)]
Name = Annotated[str, Field(min_length=1, max_length=512)]
Host = Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$")]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Application(_Table):
    id: Name
    customers: Annotated[list[Uuid], Field(min_length=1)]
    partners: Annotated[list[Uuid], Field(min_length=1)]
    products: Annotated[list[Uuid], Field(min_length=1)]


class _Issuer(_Table):
    issuer: Annotated[Name, AfterValidator(_web_address)]
    audiences: Annotated[list[Name], Field(min_length=1)]
    key_hosts: list[Host] = []
    applications: list[_Application] = []


class _File(_Table):
    issuers: list[_Issuer] = []


def _issuer(given: _Issuer, number: int, places: "_Places") -> Issuer:
    applications: dict[str, Application] = {}
    for index, application in enumerate(given.applications):
        if application.id in applications:
            line = places.line(("issuers", number, "applications", index, "id"))
            raise AllowListMistake(line, f"application {application.id} is listed twice for {given.issuer}")
        applications[application.id] = Application(
            id=application.id,
            customers=frozenset(application.customers),
            partners=frozenset(application.partners),
            products=frozenset(application.products),
        )
    return Issuer(
        name=given.issuer,
        audiences=frozenset(given.audiences),
        key_hosts=frozenset(given.key_hosts),
        applications=applications,
    )


_TABLE = re.compile(r"\s*\[\[\s*([\w.\"' -]+?)\s*\]\]")
_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*=")
Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where in the text each table and key begins; Python's TOML reader does not say."""

    lines: Sequence[str]
    begins: Mapping[Path, int]

    @classmethod
    def of(cls, text: str) -> "_Places":
        lines = text.splitlines()
        return cls(lines, dict(_begins(lines)))

    def line(self, path: Path, value: object = None) -> int:
        """The line of `path`, or of its table if it is not in the text (a missing key). Counts from 1."""
        known = path
        while known and known not in self.begins:
            known = known[:-1]
        begin = self.begins.get(known, 1)
        if len(known) < len(path) and isinstance(value, str):
            return next((at for at in range(begin, self._end(begin)) if value in self.lines[at - 1]), begin)
        return begin

    def _end(self, begin: int) -> int:
        return min((at for at in self.begins.values() if at > begin), default=len(self.lines) + 1)


def _begins(lines: Sequence[str]) -> Iterator[tuple[Path, int]]:
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(lines, 1):
        if header := _TABLE.match(line):
            table = _numbered([part.strip(" \"'") for part in header[1].split(".")], counts)
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, key[1]), number


def _numbered(parts: Sequence[str], counts: dict[Path, int]) -> Path:
    """The path of a new element of the array of tables `parts`, inside the newest element of each enclosing array."""
    path: Path = ()
    for part in parts[:-1]:
        path = (*path, part, max(counts.get((*path, part), 1) - 1, 0))
    array = (*path, parts[-1])
    counts[array] = counts.get(array, 0) + 1
    return (*array, counts[array] - 1)

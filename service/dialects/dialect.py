"""What the service knows about a dialect. Each dialect's package has one `Dialect` value, which the registry lists."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from domain.events import OpeningEvent, RecordingOpened
from service.dialects.http.settings import HttpSettings

if TYPE_CHECKING:  # serving's imports take a while, and the command line needs none of them
    from adapters.keys import KeyStore
    from service.dialects.http.api import Api


def no_client_ids(_: UUID, __: OpeningEvent) -> Mapping[str, str]:
    """No ids besides the service's own."""
    return {}


def no_session(_: RecordingOpened) -> UUID | None:
    """Recordings of most dialects belong to no ambient session."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A vendor's protocol, as the service speaks it.

    `name`: as in `RecordingOpened.dialect`. `api`: imports the handlers and what belongs to them. `settings`: its own
    settings, on top of those that every dialect has. `scopes`: those that a restricted key for it may have.
    `client_ids`: what its clients call a recording, session or note order, each id under the name that their API gives
    it. `session_of`: the ambient session that a recording belongs to, if any.
    """

    name: str
    api: "Callable[[], Api]"
    settings: type[HttpSettings] = HttpSettings
    scopes: tuple[str, ...] = ()
    dev_credentials: "DevCredentials | None" = None
    client_ids: Callable[[UUID, OpeningEvent], Mapping[str, str]] = no_client_ids
    session_of: Callable[[RecordingOpened], UUID | None] = no_session


@dataclass(frozen=True, slots=True)
class Development:
    """What development credentials are made from. `new_id` returns 32 random hex digits."""

    keys: "KeyStore"
    project_id: str
    new_id: Callable[[], str]


Entry = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DevCredentials:
    """A dialect's entry in the file of development credentials.

    `needed`: the fields of a complete entry. `tokens`: those of them that hold a key's token, which is revoked with the
    file. `addresses`: fields that follow from the service's base URL. `files`: names of files in the data directory
    that are removed with it.
    """

    make: Callable[[Development], Entry]
    needed: tuple[str, ...]
    tokens: tuple[str, ...] = ()
    addresses: Callable[[str], Entry] = field(default=lambda _: {})
    files: tuple[str, ...] = ()

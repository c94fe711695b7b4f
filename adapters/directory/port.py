"""The port to the directory's store. All of it is per project: to one, the entries of another do not exist."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from adapters.directory.entries import Device, EndUser

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAsked:
    """Up to `limit` entries, newest first: those after the place `after`, or after the first `offset`."""

    limit: int
    after: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry]):
    """`next_after`: the place of the last entry, if there are more after it. An entry's place never changes."""

    rows: list[Entry]
    next_after: int | None = None


class ExternalIdTaken(Exception):
    """Another end user of the project has this external id."""


class SerialNumberTaken(Exception):
    """Another device of the project has this serial number."""


class DirectoryStore(Protocol):
    """Blocking, and for one caller at a time. What has returned is durable.

    Raises: DatabaseFull; DatabaseUnavailable. Then nothing has changed.
    """

    def put_end_user(self, end_user: EndUser) -> None:
        """Add the end user, or replace the one with this id in the project. Raises: ExternalIdTaken."""
        ...

    def end_user(self, project_id: str, end_user_id: str) -> EndUser | None: ...

    def end_user_called(self, project_id: str, external_id: str) -> EndUser | None: ...

    def end_users(self, project_id: str, asked: PageAsked) -> Page[EndUser]: ...

    def count_end_users(self, project_id: str) -> int: ...

    def erase_end_user(self, project_id: str, end_user_id: str, *, at: datetime) -> bool:
        """Delete the end user and unbind their devices; whether there was one. `scrub` then takes the bytes away."""
        ...

    def scrub(self) -> None:
        """Nothing of what was deleted is in the file, or in any that belongs to it, once this has returned.

        One that is interrupted is made up for when the store is opened the next time, or by the next that succeeds.
        """
        ...

    def put_device(self, device: Device) -> None:
        """Add the device, or replace the one with this id in the project. Raises: SerialNumberTaken."""
        ...

    def device(self, project_id: str, device_id: str) -> Device | None: ...

    def device_numbered(self, project_id: str, serial_number: str) -> Device | None: ...

    def devices(self, project_id: str, asked: PageAsked, *, end_user_id: str | None = None) -> Page[Device]:
        """All of the project's, or those bound to an end user."""
        ...

    def count_devices(self, project_id: str) -> int: ...

    def close(self) -> None: ...

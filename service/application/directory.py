"""The end users and devices of a project.

A device token is proof that its device and its end user exist. One that an operator made may name some that nobody has
registered: they are registered when they are first asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

from adapters.directory.entries import Device, EndUser
from adapters.directory.port import DirectoryStore, Page, PageAsked
from adapters.keys import Key, KeyKind
from adapters.one_thread import OneThread
from adapters.quotas import Quota
from service.application.clock import Clock
from service.application.device_tokens import DeviceTokens
from service.application.quotas import Quotas, reached

Changes = Mapping[str, Any]
"""Fields of an entry, and their new values."""


class EndUserNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such end user.")


class DeviceNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such device.")


class DeviceBoundToAnother(Exception):
    def __init__(self) -> None:
        super().__init__("The device is bound to another end user; unbind it first.")


class DeviceNotBound(Exception):
    def __init__(self) -> None:
        super().__init__("The device is bound to nobody; bind it first.")


class TokenRevoked(Exception):
    def __init__(self) -> None:
        super().__init__("The device token was revoked; bind the device for another.")


@dataclass(frozen=True, slots=True)
class Bound:
    """A device, and a token for it that is shown once."""

    device: Device
    token: str


class Directory:
    """All methods may raise DatabaseFull and DatabaseUnavailable."""

    def __init__(
        self, store: DirectoryStore, tokens: DeviceTokens, thread: OneThread, *, quotas: Quotas, clock: Clock
    ) -> None:
        entries = _Entries(store, tokens, clock)
        self.end_users = EndUsers(entries, thread, quotas)
        self.devices = Devices(entries, thread, quotas)


class _Entries:
    """What is asked of both kinds. Blocking: for the directory's thread."""

    def __init__(self, store: DirectoryStore, tokens: DeviceTokens, clock: Clock) -> None:
        self.store = store
        self.tokens = tokens
        self.clock = clock

    def end_user(self, project_id: str, end_user_id: str) -> EndUser:
        """Raises: EndUserNotFound."""
        found = self.store.end_user(project_id, end_user_id)
        if found is None and not self.tokens.in_force(project_id, end_user_id=end_user_id):
            raise EndUserNotFound
        return found or self.ensured(project_id, end_user_id)

    def ensured(self, project_id: str, end_user_id: str, *, most: int | None = None) -> EndUser:
        """The end user, registered if need be: nothing more is known of them then.

        `most`: how many the project may have; those that a token names that an operator made are always registered.
        Raises: QuotaReached.
        """
        found = self.store.end_user(project_id, end_user_id)
        if found is None:
            self.check_end_users(project_id, most)
            now = self.clock()
            found = EndUser(id=end_user_id, project_id=project_id, created_at=now, updated_at=now)
            self.store.put_end_user(found)
        return found

    def check_end_users(self, project_id: str, most: int | None) -> None:
        """Raises: QuotaReached, if one more would be too many. In the one thread that registers any."""
        if most is not None and (used := self.store.count_end_users(project_id)) >= most:
            raise reached(Quota.END_USERS, used=used, most=most)

    def check_devices(self, project_id: str, most: int | None) -> None:
        """Raises: QuotaReached, likewise."""
        if most is not None and (used := self.store.count_devices(project_id)) >= most:
            raise reached(Quota.DEVICES, used=used, most=most)

    def device(self, project_id: str, device_id: str) -> Device:
        """Raises: DeviceNotFound."""
        found = self.store.device(project_id, device_id)
        return found or self._device_of_a_token(project_id, device_id)

    def _device_of_a_token(self, project_id: str, device_id: str) -> Device:
        """Its serial number is not known: its id stands for it, or its id with a number if another device has that."""
        tokens = self.tokens.in_force(project_id, device_id=device_id)
        if not tokens or tokens[-1].end_user_id is None:
            raise DeviceNotFound
        now = self.clock()
        device = Device(
            id=device_id,
            project_id=project_id,
            serial_number=self._free_serial_number(project_id, device_id),
            model=DEFAULT_MODEL,
            end_user_id=tokens[-1].end_user_id,
            binding_generation=1,
            created_at=now,
            updated_at=now,
        )
        self.ensured(project_id, tokens[-1].end_user_id)
        self.store.put_device(device)
        return device

    def _free_serial_number(self, project_id: str, device_id: str) -> str:
        names = chain([device_id], (f"{device_id} ({number})" for number in count(2)))
        return next(name for name in names if self.store.device_numbered(project_id, name) is None)


DEFAULT_MODEL = "bota_pin"
"""Of a device that nobody has told the model of."""


class EndUsers:
    """The end users of every project."""

    def __init__(self, entries: _Entries, thread: OneThread, quotas: Quotas) -> None:
        self._entries = entries
        self._store = entries.store
        self._thread = thread
        self._quotas = quotas

    async def register(self, end_user_id: str, project_id: str, facts: Changes) -> EndUser:
        """The new end user; registered already under this id, as they are. Raises: ExternalIdTaken; QuotaReached."""
        most = await self._quotas.most(project_id, Quota.END_USERS)
        return await self._thread.run(self._register, end_user_id, project_id, facts, most)

    def _register(self, end_user_id: str, project_id: str, facts: Changes, most: int | None) -> EndUser:
        found = self._store.end_user(project_id, end_user_id)
        if found is None:
            self._entries.check_end_users(project_id, most)
            now = self._entries.clock()
            found = EndUser(id=end_user_id, project_id=project_id, created_at=now, updated_at=now, **facts)
            self._store.put_end_user(found)
        return found

    async def find(self, project_id: str, end_user_id: str) -> EndUser:
        """Raises: EndUserNotFound."""
        return await self._thread.run(self._entries.end_user, project_id, end_user_id)

    async def called(self, project_id: str, external_id: str) -> EndUser | None:
        return await self._thread.run(self._store.end_user_called, project_id, external_id)

    async def page(self, project_id: str, asked: PageAsked) -> Page[EndUser]:
        return await self._thread.run(self._store.end_users, project_id, asked)

    async def change(self, project_id: str, end_user_id: str, changes: Changes) -> EndUser:
        """Raises: EndUserNotFound."""
        return await self._thread.run(self._change, project_id, end_user_id, changes)

    def _change(self, project_id: str, end_user_id: str, changes: Changes) -> EndUser:
        found = self._entries.end_user(project_id, end_user_id)
        changed = replace(found, **changes)
        if changed == found:
            return found
        changed = replace(changed, updated_at=self._entries.clock())
        self._store.put_end_user(changed)
        return changed

    async def device_ids(self, project_id: str, end_user_id: str) -> frozenset[str]:
        """Of the devices that are bound to the end user, or have a token for them."""
        return await self._thread.run(self._device_ids, project_id, end_user_id)

    def _device_ids(self, project_id: str, end_user_id: str) -> frozenset[str]:
        tokens = self._entries.tokens.in_force(project_id, end_user_id=end_user_id)
        everything = PageAsked(limit=_MOST_DEVICES)
        bound = self._store.devices(project_id, everything, end_user_id=end_user_id).rows
        return frozenset([*(device.id for device in bound), *(key.device_id for key in tokens if key.device_id)])

    async def erase(self, project_id: str, end_user_id: str) -> frozenset[str]:
        """Erase the end user, unbind their devices and revoke these devices' tokens. On return, nothing of what was
        known of them is in the file. Their recordings stay, with the id. Returns the devices' ids.

        Raises: EndUserNotFound.
        """
        try:
            return await self._thread.run(self._erase, project_id, end_user_id)
        finally:  # also for one that was erased by a request whose scrubbing failed
            await self._thread.run(self._store.scrub)

    def _erase(self, project_id: str, end_user_id: str) -> frozenset[str]:
        device_ids = self._device_ids(project_id, end_user_id)
        is_known = bool(self._entries.tokens.in_force(project_id, end_user_id=end_user_id))
        self._entries.tokens.revoke(project_id, end_user_id=end_user_id)  # first: a crash leaves no token without them
        was_there = self._store.erase_end_user(project_id, end_user_id, at=self._entries.clock())
        if not (is_known or was_there):
            raise EndUserNotFound
        return device_ids


_MOST_DEVICES = 1_000_000
"""More than anybody is bound to."""


class Devices:
    """The devices of every project."""

    def __init__(self, entries: _Entries, thread: OneThread, quotas: Quotas) -> None:
        self._entries = entries
        self._store = entries.store
        self._tokens = entries.tokens
        self._thread = thread
        self._quotas = quotas

    async def register(self, device_id: str, project_id: str, serial_number: str, facts: Changes) -> Device:
        """The new device; or the project's device with this serial number, as it is. Raises: QuotaReached."""
        most = await self._quotas.most(project_id, Quota.DEVICES)
        return await self._thread.run(self._register, device_id, project_id, serial_number, facts, most)

    def _register(
        self, device_id: str, project_id: str, serial_number: str, facts: Changes, most: int | None
    ) -> Device:
        found = self._store.device_numbered(project_id, serial_number)
        if found is None:
            self._entries.check_devices(project_id, most)
            now = self._entries.clock()
            its_ids = {"id": device_id, "project_id": project_id, "serial_number": serial_number}
            found = Device(**(its_ids | {"model": DEFAULT_MODEL} | dict(facts)), created_at=now, updated_at=now)
            self._store.put_device(found)
        return found

    async def find(self, project_id: str, device_id: str) -> Device:
        """Raises: DeviceNotFound."""
        return await self._thread.run(self._entries.device, project_id, device_id)

    async def page(self, project_id: str, asked: PageAsked, *, end_user_id: str | None) -> Page[Device]:
        """All of the project's, or those bound to an end user."""
        return await self._thread.run(self._store.devices, project_id, asked, end_user_id=end_user_id)

    async def change(self, project_id: str, device_id: str, changes: Changes) -> Device:
        """Raises: DeviceNotFound."""
        return await self._thread.run(self._change, project_id, device_id, changes)

    def _change(self, project_id: str, device_id: str, changes: Changes) -> Device:
        found = self._entries.device(project_id, device_id)
        changed = replace(found, **changes)
        if changed == found:
            return found
        changed = replace(changed, updated_at=self._entries.clock())
        self._store.put_device(changed)
        return changed

    async def bind(self, project_id: str, device_id: str, end_user_id: str) -> Bound:
        """Bind the device to the end user, who is registered if need be. Again, for another token, if it is bound.

        Raises: DeviceNotFound; DeviceBoundToAnother; QuotaReached.
        """
        most = await self._quotas.most(project_id, Quota.END_USERS)
        return await self._thread.run(self._bind, project_id, device_id, end_user_id, most)

    def _bind(self, project_id: str, device_id: str, end_user_id: str, most: int | None) -> Bound:
        device = self._entries.device(project_id, device_id)
        if device.end_user_id not in (None, end_user_id):
            raise DeviceBoundToAnother
        if device.end_user_id is None:
            self._entries.ensured(project_id, end_user_id, most=most)
            device = self._rebound(device, end_user_id, device.binding_generation + 1)
        return Bound(device, self._tokens.give(project_id, device_id, end_user_id))

    async def unbind(self, project_id: str, device_id: str) -> Device:
        """The device is nobody's, and its tokens are refused from now on. Raises: DeviceNotFound."""
        return await self._thread.run(self._unbind, project_id, device_id)

    def _unbind(self, project_id: str, device_id: str) -> Device:
        device = self._entries.device(project_id, device_id)
        self._tokens.revoke(project_id, device_id=device_id)
        return device if device.end_user_id is None else self._rebound(device, None, device.binding_generation)

    def _rebound(self, device: Device, end_user_id: str | None, generation: int) -> Device:
        now = self._entries.clock()
        device = replace(device, end_user_id=end_user_id, binding_generation=generation, updated_at=now)
        self._store.put_device(device)
        return device

    async def renew_token(self, key: Key, device_id: str) -> Bound:
        """Another token for the device, for the end user of the token that asks, or whom it is bound to.

        Raises: DeviceNotFound; DeviceNotBound; TokenRevoked.
        """
        return await self._thread.run(self._renew_token, key, device_id)

    def _renew_token(self, key: Key, device_id: str) -> Bound:
        if key.kind is KeyKind.DEVICE and not self._tokens.is_in_force(key):  # revoked since the request came
            raise TokenRevoked
        device = self._entries.device(key.project_id, device_id)
        end_user_id = key.end_user_id if key.kind is KeyKind.DEVICE else device.end_user_id
        if end_user_id is None:
            raise DeviceNotBound
        self._tokens.seen(key)
        asked_with = key if key.kind is KeyKind.DEVICE else None
        return Bound(device, self._tokens.give(key.project_id, device_id, end_user_id, asked_with=asked_with))

    async def heartbeat(self, key: Key, device_id: str, said: Changes, facts: Changes) -> Device:
        """The device is there. `said`: what its heartbeat changes; `facts`: what it changes of the device itself.

        Raises: DeviceNotFound.
        """
        return await self._thread.run(self._heartbeat, key, device_id, said, facts)

    def _heartbeat(self, key: Key, device_id: str, said: Changes, facts: Changes) -> Device:
        device = self._entries.device(key.project_id, device_id)
        heartbeat = replace(device.heartbeat, **said, last_heartbeat_at=self._entries.clock())
        device = replace(device, heartbeat=heartbeat, **facts)
        self._store.put_device(device)
        self._tokens.seen(key)
        return device

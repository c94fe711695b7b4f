"""Bota's devices (P): register, list, read, change; bind to an end user, for a token; what a device says of itself."""

from aiohttp import web

from adapters.keys import Key, KeyKind
from service.application.callers import Callers
from service.application.clock import NewId
from service.application.directory import DeviceNotFound, Devices
from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer
from service.dialects.bota.directory.answers import (
    DeviceAnswer,
    HeartbeatAnswer,
    bound_device_answer,
    device_answer,
    state_answer,
)
from service.dialects.bota.directory.requests import (
    BindDevice,
    ChangeDevice,
    CreateDevice,
    DevicesPageRequest,
    SendHeartbeat,
    parse_entry,
)
from service.dialects.bota.idempotency import Once, id_for
from service.dialects.bota.requests import parse, query_of
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits


class DeviceEndpoints:
    """The handlers. To a device token, no other device exists, and `me` is its own."""

    def __init__(self, devices: Devices, callers: Callers, limits: Limits, once: Once, *, new_id: NewId) -> None:
        self._devices = devices
        self._callers = callers
        self._limits = limits
        self._once = once
        self._new_id = new_id

    def add_routes(self, router: web.UrlDispatcher) -> None:
        device = "/v1/devices/{device_id}"
        router.add_post("/v1/devices", self._once(self.create, access.WRITE_DEVICES))
        router.add_get("/v1/devices", self.devices)
        router.add_get(device, self.device)
        router.add_patch(device, self.change)
        router.add_post(f"{device}/bind", self._once(self.bind, access.WRITE_DEVICES))
        router.add_post(f"{device}/unbind", self.unbind)
        router.add_post(f"{device}/token/refresh", self.refresh_token)
        router.add_post(f"{device}/heartbeat", self.heartbeat)
        router.add_get(f"{device}/state", self.state)

    async def create(self, request: web.Request) -> web.Response:
        """201; 200 with the device that has this serial number (P), (D) as it is."""
        key = await access.permitted(request, self._callers, access.WRITE_DEVICES)
        asked, metadata = parse_entry(CreateDevice, await self._limits.json_body(request))
        facts = asked.changes("name", "firmware_version")
        if model := asked.model or asked.device_type:
            facts["model"] = model
        if metadata is not None:
            facts["metadata"] = metadata
        its_id = f"dev_{id_for(request, self._new_id)}"
        device = await self._devices.register(its_id, key.project_id, asked.serial_number, facts)
        return json_answer(device_answer(device), status=201 if device.id == its_id else 200)

    async def devices(self, request: web.Request) -> web.Response:
        """A page of the project's, newest first; or of those bound to an end user."""
        key = await access.permitted(request, self._callers, access.READ_DEVICES)
        asked = query_of(DevicesPageRequest, request.query)
        found = await self._devices.page(key.project_id, asked.page(), end_user_id=asked.end_user_id)
        next_cursor = None if found.next_after is None else str(found.next_after)
        return json_answer(
            ListAnswer[DeviceAnswer](
                data=[device_answer(one) for one in found.rows],
                has_more=next_cursor is not None,
                next_cursor=next_cursor,
            )
        )

    async def device(self, request: web.Request) -> web.Response:
        key = await access.permitted(request, self._callers, access.READ_OWN_DEVICE)
        return json_answer(device_answer(await self._devices.find(key.project_id, device_named(request, key))))

    async def change(self, request: web.Request) -> web.Response:
        """The device as it is then."""
        key = await access.permitted(request, self._callers, access.WRITE_DEVICES)
        asked, metadata = parse_entry(ChangeDevice, await self._limits.json_body(request))
        changes = asked.changes("name", "firmware_version", "metadata")
        if "metadata" in changes:
            changes["metadata"] = b"{}" if metadata is None else metadata
        changed = await self._devices.change(key.project_id, device_named(request, key), changes)
        return json_answer(device_answer(changed))

    async def bind(self, request: web.Request) -> web.Response:
        """200 with a token. (D) Bound to the same end user already: another token, and the same generation; the earlier
        tokens stay valid until the device is known to have the new one, for 30 days at most."""
        key = await access.permitted(request, self._callers, access.WRITE_DEVICES)
        asked = parse(BindDevice, await self._limits.json_body(request))
        bound = await self._devices.bind(key.project_id, device_named(request, key), asked.end_user_id)
        return json_answer(bound_device_answer(bound.device, bound.token))

    async def unbind(self, request: web.Request) -> web.Response:
        """200 with the device, whose tokens are void; also (D) for one that is unbound."""
        key = await access.permitted(request, self._callers, access.WRITE_DEVICES)
        device_id = device_named(request, key)
        await self._once.forget(key.project_id, device_id)  # the answer to its binding holds a token
        unbound = await self._devices.unbind(key.project_id, device_id)
        await self._once.forget(key.project_id, device_id)
        return json_answer(device_answer(unbound))

    async def refresh_token(self, request: web.Request) -> web.Response:
        """(D) 200 with the device and another token; the earlier ones stay valid as after binding again."""
        key = await access.permitted(request, self._callers, access.ACT_AS_DEVICE)
        renewed = await self._devices.renew_token(key, device_named(request, key))
        return json_answer(bound_device_answer(renewed.device, renewed.token))

    async def heartbeat(self, request: web.Request) -> web.Response:
        key = await access.permitted(request, self._callers, access.ACT_AS_DEVICE)
        said = parse(SendHeartbeat, await self._limits.json_body(request) or b"{}")
        await self._devices.heartbeat(key, device_named(request, key), said.said(), said.facts())
        return json_answer(HeartbeatAnswer(status="ok"))

    async def state(self, request: web.Request) -> web.Response:
        key = await access.permitted(request, self._callers, access.READ_OWN_DEVICE)
        return json_answer(state_answer(await self._devices.find(key.project_id, device_named(request, key))))


def device_named(request: web.Request, key: Key) -> str:
    """The id of the device that the path names. Raises: DeviceNotFound for a device token's request about another."""
    named = request.match_info["device_id"]
    if key.kind is not KeyKind.DEVICE or key.device_id is None:
        return named
    if named not in ("me", key.device_id):
        raise DeviceNotFound
    return key.device_id

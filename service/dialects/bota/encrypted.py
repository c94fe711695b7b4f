"""Calls that need the vendor's keys: encrypted upload, its relay, grants and commands (P). Refused, and clearly (D).

This service can neither decrypt what a device encrypts nor sign what a device trusts. A client that asks is told so
before any audio moves, with a status that is neither "try again" (5xx) nor "the recording is gone" (404).
"""

from functools import partial

from aiohttp import web

from service.application.callers import Callers
from service.application.directory import Devices
from service.application.queries import Queries
from service.dialects.bota import access
from service.dialects.bota.directory.devices import device_named
from service.dialects.bota.errors import CiphertextRefused, NotSupported
from service.dialects.bota.identifiers import recording_id_of
from service.dialects.bota.operations import keyed
from service.dialects.bota.view import View
from service.dialects.http.limits import continue_later
from service.dialects.http.operation import Bytes

SESSIONS = "/v1/recordings/{recording_id}/encrypted-upload-v2/sessions"
OF_SESSIONS = (
    ("POST", SESSIONS),
    ("GET", f"{SESSIONS}/{{session_id}}"),
    ("DELETE", f"{SESSIONS}/{{session_id}}"),
    ("POST", f"{SESSIONS}/{{session_id}}/staging-url"),
    ("POST", f"{SESSIONS}/{{session_id}}/manifest"),
    ("POST", f"{SESSIONS}/{{session_id}}/recover"),
)
RELAY = "/v1/recordings/{recording_id}/upload-relay"
GRANT = "/v1/devices/{device_id}/grant"
COMMANDS = "/v1/devices/{device_id}/commands"


_RECORDING = {"recording_id": r"^rec_[A-Za-z0-9]{1,60}$"}
_SESSION = {"session_id": r"^[0-9a-f-]{1,36}$"}
_DEVICE = {"device_id": r"^(me|dev_[A-Za-z0-9]{1,60})$"}

ENCRYPTED = (
    *(
        keyed(
            method,
            path,
            "Not supported: upload unencrypted over TLS",
            access.UPLOAD_FILE,
            {},
            404,
            422,
            path_patterns=_RECORDING if path == SESSIONS else {**_RECORDING, **_SESSION},
        )
        for method, path in OF_SESSIONS
    ),
    keyed(
        "POST",
        RELAY,
        "Not supported: upload unencrypted over TLS",
        access.UPLOAD_FILE,
        {},
        404,
        422,
        body=Bytes(),
        path_patterns=_RECORDING,
    ),
    *(
        keyed(
            method,
            path,
            "Not supported: a device token is all that a device needs",
            access.ACT_AS_DEVICE,
            {},
            404,
            422,
            path_patterns=_DEVICE,
        )
        for method, path in (("POST", GRANT), ("GET", COMMANDS), ("POST", COMMANDS))
    ),
)


_UPLOAD_OPENLY = (
    "Upload the recording unencrypted, over TLS: POST /v1/recordings/{id}/upload-url says where, or the template of a "
    "streamed one. Nothing of it is stored here yet, so keep it until then."
)


class Encrypted:
    """The handlers. Who may not call, or names what there is not, is told that first."""

    def __init__(self, queries: Queries, devices: Devices, callers: Callers) -> None:
        self._view = View(queries)
        self._devices = devices
        self._callers = callers

    def add_routes(self, router: web.UrlDispatcher) -> None:
        for method, path in OF_SESSIONS:
            add = router.add_get if method == "GET" else partial(router.add_route, method)  # a GET is a HEAD, too
            add(path, self.session)
        router.add_post(RELAY, self.relay, expect_handler=continue_later)
        router.add_post(GRANT, self.grant)
        router.add_get(COMMANDS, self.commands)
        router.add_post(COMMANDS, self.commands)

    async def session(self, request: web.Request) -> web.Response:
        await self._check_recording(request)
        raise NotSupported(_UPLOAD_OPENLY)

    async def relay(self, request: web.Request) -> web.Response:
        await self._check_recording(request)
        raise CiphertextRefused(_UPLOAD_OPENLY)

    async def _check_recording(self, request: web.Request) -> None:
        key = await access.permitted(request, self._callers, access.UPLOAD_FILE)
        await self._view.recording(key, recording_id_of(request.match_info["recording_id"]))

    async def grant(self, request: web.Request) -> web.Response:
        await self._check_device(request)
        raise NotSupported("A device needs no grant here: it uploads with its device token, which bind gives.")

    async def commands(self, request: web.Request) -> web.Response:
        await self._check_device(request)
        raise NotSupported("There are no commands here: GET /v1/devices/{id}/config/upload says how to upload.")

    async def _check_device(self, request: web.Request) -> None:
        key = await access.permitted(request, self._callers, access.ACT_AS_DEVICE)
        await self._devices.find(key.project_id, device_named(request, key))

"""Who may do what in Bota's API: keys and their scopes, and which recordings a key sees (REFERENCE.md, "Keys")."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aiohttp import web

from adapters.keys import Key, KeyKind
from domain.errors import RecordingNotFound
from service.application.callers import Callers
from service.dialects.bota.errors import Forbidden, SecretKeyNeeded, Unauthorized
from service.dialects.bota.identifiers import public_recording_id
from service.dialects.http.held_bytes import CALLER
from service.dialects.http.signed_urls import SignatureRefused, UrlSigner

MAKER = "key"
"""The field of a signed URL that tells the id of the key that made it."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What a request needs: a secret key, a restricted key with `scope`, or a token of one of these kinds.

    Without a `scope`, any API key; or a secret key, where `needs_secret_key`. A token is valid only for what is its
    own: a device, its end user and its recordings, or the one recording of an upload token.
    """

    scope: str | None
    tokens: frozenset[KeyKind] = frozenset()
    needs_secret_key: bool = False

    def includes(self, key: Key) -> bool:
        if self.needs_secret_key:
            return key.kind is KeyKind.SECRET
        if key.kind in (KeyKind.DEVICE, KeyKind.UPLOAD):
            return key.kind in self.tokens
        return key.kind is not KeyKind.CLIENT if self.scope is None else key.allows(self.scope)


_DEVICE = frozenset({KeyKind.DEVICE})
_UPLOADER = frozenset({KeyKind.DEVICE, KeyKind.UPLOAD})

READ_RECORDINGS = Permission("recordings:read")
WRITE_RECORDINGS = Permission("recordings:write")
CREATE_RECORDING = FINALIZE_RECORDING = Permission("recordings:write", _DEVICE)
UPLOAD_FILE = Permission("recordings:write", _UPLOADER)
RESUME_UPLOAD = Permission("recordings:read", _UPLOADER)
READ_TRANSCRIPTIONS = Permission("transcriptions:read")
WRITE_TRANSCRIPTIONS = Permission("transcriptions:write")
READ_SUMMARIES = Permission("summaries:read")
WRITE_SUMMARIES = Permission("summaries:write")
READ_WEBHOOKS = Permission("webhooks:read")
WRITE_WEBHOOKS = Permission("webhooks:write")
READ_END_USERS = Permission("end_users:read")
WRITE_END_USERS = Permission("end_users:write")
READ_DEVICES = Permission("devices:read")
WRITE_DEVICES = Permission("devices:write")
READ_OWN_DEVICE = Permission("devices:read", _DEVICE)
ACT_AS_DEVICE = Permission("devices:write", _DEVICE)
READ_OPERATIONS = Permission("operations:read")
READ_OWN_KEY = Permission(None)
MANAGE_KEYS = Permission(None, needs_secret_key=True)
READ_CONFIG = Permission(None, _DEVICE)


async def authenticated(request: web.Request, callers: Callers) -> Key:
    """The key that the request carries. Raises: Unauthorized."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    key = await callers.key(token.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise Unauthorized
    request[CALLER] = f"project {key.project_id}"
    return key


async def permitted(request: web.Request, callers: Callers, permission: Permission) -> Key:
    """The request's key, which has the permission. Raises: Unauthorized, Forbidden."""
    key = await authenticated(request, callers)
    if permission.needs_secret_key and key.kind is not KeyKind.SECRET:
        raise SecretKeyNeeded
    if not permission.includes(key):
        raise Forbidden(permission.scope or "this")
    return key


def signed_query(signer: UrlSigner, key: Key, purpose: str, subject: str, expires_at: datetime) -> str:
    """The query of a URL that permits `purpose` on `subject` and tells which key made it."""
    return f"{signer.query(purpose_by(purpose, key.root_id), subject, expires_at)}&{MAKER}={key.root_id}"


def purpose_by(purpose: str, key_id: str | None) -> str:
    """What a signature is for that was made with the stored key of this id; None: by a version that told no key."""
    return purpose if key_id is None else f"{purpose} by {key_id}"


async def check_maker(
    callers: Callers,
    key_id: str | None,
    *,
    tenant_id: str,
    device_id: str | None = None,
    end_user_id: str | None = None,
) -> None:
    """(D) A signed URL about a recording of these ends with the key that made it.

    One that was made by a version before this tells no key, and ends by expiring only. Raises: SignatureRefused.
    """
    if key_id is not None and not await callers.still_stands_for(
        key_id, project_id=tenant_id, device_id=device_id, end_user_id=end_user_id
    ):
        raise SignatureRefused("The key that made this URL is not valid any more; ask for a URL with one that is.")


def check_owner(key: Key, recording_id: UUID, *, tenant_id: str, device_id: str | None) -> None:
    """Another project's recording, another device's for a device token, and any but its own for an upload token do not
    exist for the caller. Raises: RecordingNotFound."""
    its_own = {
        KeyKind.DEVICE: key.device_id == device_id,
        KeyKind.UPLOAD: key.recording_id == public_recording_id(recording_id),
    }
    if key.project_id != tenant_id or not its_own.get(key.kind, True):
        raise RecordingNotFound

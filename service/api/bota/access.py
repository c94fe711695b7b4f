"""Who may do what in Bota's API: keys and their scopes, and which recordings a key can see."""

from aiohttp import web

from adapters.keys import Key, KeyKind
from domain.errors import RecordingNotFound
from service.api.bota.errors import Forbidden, Unauthorized
from service.api.bota.identifiers import RECORDINGS_READ, RECORDINGS_WRITE, TRANSCRIPTIONS_READ
from service.deck import Deck

__all__ = ["RECORDINGS_READ", "RECORDINGS_WRITE", "TRANSCRIPTIONS_READ", "authenticated", "check_owner", "permitted"]


def authenticated(request: web.Request, deck: Deck) -> Key:
    """The key that the request carries. Raises: Unauthorized."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    key = deck.keys.authenticate(token.strip(), now=deck.clock()) if scheme.lower() == "bearer" else None
    if key is None:
        raise Unauthorized
    return key


def permitted(request: web.Request, deck: Deck, scope: str) -> Key:
    """The request's key, which has `scope`. Raises: Unauthorized, Forbidden."""
    key = authenticated(request, deck)
    if not key.allows(scope):
        raise Forbidden(scope)
    return key


def check_owner(key: Key, *, tenant_id: str, device_id: str | None) -> None:
    """Another project's recording, or another device's to a device token, is as if it did not exist.

    Raises: RecordingNotFound.
    """
    if key.project_id != tenant_id or (key.kind is KeyKind.DEVICE and key.device_id != device_id):
        raise RecordingNotFound

"""Upload tokens that are handed out with an upload URL (P). (D) They are kept nowhere: each says whose it is, signed.

An app's backend passes one on to the app, which has its upload completed with it, perhaps days later. It allows what an
upload token of the key store allows, for its one recording. It ends with the key that it was made with, or expires.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson

from adapters.keys import Key, KeyKind
from service.application.callers import Callers
from service.dialects.bota.identifiers import public_recording_id
from service.dialects.http.signed_urls import SIGNATURE_LENGTH, UrlSigner

LIFE_AFTER_UPLOAD = timedelta(days=7)
"""How long a token outlives the URL that it came with: an app that is offline completes its upload late."""

_PREFIX = "up_"
_PURPOSE = "upload-token by a key"
_EARLIER_PURPOSE = "upload-token"
_ID_BYTES, _TIME_BYTES = 16, 5
_LONGEST = 4096


class UploadTokens:
    """A token is `up_`, the base64url of recording, expiry and maker, and a signature over these.

    `callers`: the stored keys, one of which is the maker. A device's token is forgotten once the device has newer ones,
    so the maker is then told with its project, device and end user. Tokens of versions before this have the project in
    the maker's place, and end by expiring only.
    """

    def __init__(self, signer: UrlSigner, callers: Callers) -> None:
        self._signer = signer
        self._callers = callers

    async def issue(self, recording_id: UUID, made_with: str, expires_at: datetime) -> str:
        """Letters, digits, `-` and `_`: 90, or more of a device's token. `made_with`: the id of a stored key."""
        maker = await self._callers.find(made_with)
        named = made_with if maker is None or maker.kind is not KeyKind.DEVICE else _named(maker)
        return self._signed(_PURPOSE, recording_id, int(expires_at.timestamp()), named)

    async def key(self, token: str, now: datetime) -> Key | None:
        """What the token allows; None if it is none of this service's, or has ended."""
        if not token.startswith(_PREFIX) or len(token) > _LONGEST or not token.isascii():
            return None
        try:
            facts = _bytes(token.removeprefix(_PREFIX)[:-SIGNATURE_LENGTH])
            recording_id = UUID(bytes=facts[:_ID_BYTES])
            expires = int.from_bytes(facts[_ID_BYTES:][:_TIME_BYTES], "big")
            expires_at = datetime.fromtimestamp(expires, UTC)
            named = facts[_ID_BYTES + _TIME_BYTES :].decode()
        except (ValueError, OverflowError, OSError):
            return None
        if now >= expires_at:
            return None
        if self._is(token, _PURPOSE, recording_id, expires, named):
            return await self._made_with(named, recording_id, expires_at)
        if self._is(token, _EARLIER_PURPOSE, recording_id, expires, named):
            return _key(recording_id, named, expires_at)
        return None

    async def _made_with(self, named: str, recording_id: UUID, expires_at: datetime) -> Key | None:
        maker = _of_device(named) or await self._stored(named)
        if maker is None or not await self._callers.still_stands_for(
            maker.key_id, project_id=maker.project_id, device_id=maker.device_id, end_user_id=maker.end_user_id
        ):
            return None
        return replace(_key(recording_id, maker.project_id, expires_at), made_with=maker.key_id)

    async def _stored(self, key_id: str) -> "_Maker | None":
        key = await self._callers.find(key_id)
        return None if key is None else _Maker(key.id, key.project_id, key.device_id, key.end_user_id)

    def _is(self, token: str, purpose: str, recording_id: UUID, expires: int, named: str) -> bool:
        return hmac.compare_digest(token.encode(), self._signed(purpose, recording_id, expires, named).encode())

    def _signed(self, purpose: str, recording_id: UUID, expires: int, named: str) -> str:
        said = _unpadded(recording_id.bytes + expires.to_bytes(_TIME_BYTES, "big") + named.encode())
        return f"{_PREFIX}{said}{self._signer.signature(purpose, f'{named}/{recording_id.hex}', str(expires))}"


@dataclass(frozen=True, slots=True)
class _Maker:
    key_id: str
    project_id: str
    device_id: str | None
    end_user_id: str | None


def _named(maker: Key) -> str:
    return orjson.dumps([maker.id, maker.project_id, maker.device_id, maker.end_user_id]).decode()


def _of_device(named: str) -> _Maker | None:
    """The maker, if a device's token is named: ids of keys begin with no bracket."""
    return _Maker(*orjson.loads(named)) if named.startswith("[") else None


def _key(recording_id: UUID, project_id: str, expires_at: datetime) -> Key:
    return Key(
        id=f"{_PREFIX}{recording_id.hex}",
        kind=KeyKind.UPLOAD,
        project_id=project_id,
        scopes=frozenset(),
        device_id=None,
        end_user_id=None,
        recording_id=public_recording_id(recording_id),
        created_at=expires_at - LIFE_AFTER_UPLOAD,
        expires_at=expires_at,
        revoked_at=None,
        name=None,
    )


def _bytes(said: str) -> bytes:
    return urlsafe_b64decode(said + "=" * (-len(said) % 4))


def _unpadded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")

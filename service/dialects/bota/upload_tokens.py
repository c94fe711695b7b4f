"""Upload tokens that are handed out with an upload URL (P). (D) They are kept nowhere: each says whose it is, signed.

An app's backend passes one on to the app, which has its upload completed with it, perhaps days later. It allows what an
upload token of the key store allows, for its one recording. It cannot be revoked: it expires.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

from adapters.keys import Key, KeyKind
from service.dialects.bota.identifiers import public_recording_id
from service.dialects.http.signed_urls import SIGNATURE_LENGTH, UrlSigner

LIFE_AFTER_UPLOAD = timedelta(days=7)
"""How long a token outlives the URL that it came with: an app that is offline completes its upload late."""

_PREFIX = "up_"
_PURPOSE = "upload-token"
_ID_BYTES, _TIME_BYTES = 16, 5
_LONGEST = 256


class UploadTokens:
    """A token is `up_`, the base64url of recording, expiry and project, and a signature over these."""

    def __init__(self, signer: UrlSigner) -> None:
        self._signer = signer

    def issue(self, recording_id: UUID, project_id: str, expires_at: datetime) -> str:
        """Letters, digits, `-` and `_`; at most 256 of them with any project id of up to 128."""
        expires = int(expires_at.timestamp())
        said = _unpadded(recording_id.bytes + expires.to_bytes(_TIME_BYTES, "big") + project_id.encode())
        signature = self._signer.signature(_PURPOSE, f"{project_id}/{recording_id.hex}", str(expires))
        return f"{_PREFIX}{said}{signature}"

    def key(self, token: str, now: datetime) -> Key | None:
        """What the token allows; None if it is none of this service's, or has expired."""
        key = self._claimed(token)
        if key is None or key.expires_at is None or now >= key.expires_at:
            return None
        issued = self.issue(UUID(key.id.removeprefix(_PREFIX)), key.project_id, key.expires_at)
        return key if hmac.compare_digest(token.encode(), issued.encode()) else None

    def _claimed(self, token: str) -> Key | None:
        """What it says of itself, whether or not that is true."""
        said = token.removeprefix(_PREFIX)[:-SIGNATURE_LENGTH]
        if not token.startswith(_PREFIX) or len(token) > _LONGEST or not token.isascii():
            return None
        try:
            facts = urlsafe_b64decode(said + "=" * (-len(said) % 4))
            project_id = facts[_ID_BYTES + _TIME_BYTES :].decode()
            recording_id = UUID(bytes=facts[:_ID_BYTES])
            expires_at = datetime.fromtimestamp(int.from_bytes(facts[_ID_BYTES:][:_TIME_BYTES], "big"), UTC)
        except (ValueError, OverflowError, OSError):
            return None
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


def _unpadded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")

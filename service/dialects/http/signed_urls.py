"""URLs that carry their own permission: whoever has one may do one thing at one path until it expires.

The signature is an HMAC-SHA256 over the purpose, the subject and the expiry, each preceded by its length.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

from adapters.private_files import load_or_create_key

KEY_BYTES = 32
CHECKED_QUERIES_KEPT = 10_000
SIGNATURE_LENGTH = 43


class SignatureRefused(Exception):
    """The signature is missing, forged, made for something else, or too old."""


class UrlSigner:
    """Signs and checks with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._checked: dict[tuple[str, str, str], int] = {}

    @classmethod
    def with_key_file(cls, path: Path) -> "UrlSigner":
        """The key is in a file that only its owner can read, made on first use. Raises: DamagedKey; OSError."""
        key = load_or_create_key(path, KEY_BYTES, name="signing key", if_lost="URLs signed before are void")
        return cls(key)

    def query(self, purpose: str, subject: str, expires_at: datetime) -> str:
        """The query string that permits `purpose` on `subject` until `expires_at` (to the second)."""
        expires = str(int(expires_at.timestamp()))
        return f"expires={expires}&signature={self.signature(purpose, subject, expires)}"

    def check_query(self, purpose: str, subject: str, query: str, *, now: datetime) -> None:
        """Like `check`, for a query string. A valid one is remembered, because every chunk of a recording has it."""
        known = self._checked.get((purpose, subject, query))
        if known is not None and now.timestamp() < known:
            return
        fields = dict(parse_qsl(query, keep_blank_values=True))
        self.check(purpose, subject, fields, now=now)
        if len(self._checked) >= CHECKED_QUERIES_KEPT:
            self._checked.clear()
        self._checked[purpose, subject, query] = int(fields["expires"])

    def check(self, purpose: str, subject: str, query: Mapping[str, str], *, now: datetime) -> None:
        """Raises: SignatureRefused with a sentence for the client."""
        expires, signature = query.get("expires", ""), query.get("signature", "")
        if not (expires and signature):
            raise SignatureRefused("The URL has no signature; use it exactly as the service gave it.")
        expected = self.signature(purpose, subject, expires)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise SignatureRefused("The URL's signature is not valid for it; use it exactly as the service gave it.")
        if now.timestamp() >= int(expires):
            expired = datetime.fromtimestamp(int(expires), UTC).isoformat().replace("+00:00", "Z")
            raise SignatureRefused(f"The URL expired at {expired}; ask for a new one.")

    def signature(self, purpose: str, subject: str, expires: str) -> str:
        """Letters, digits, `-` and `_`. `expires`: in Unix seconds."""
        message = "".join(f"{len(part)}:{part}" for part in (purpose, subject, expires))
        digest = hmac.digest(self._key, message.encode(), hashlib.sha256)
        return urlsafe_b64encode(digest).decode().rstrip("=")

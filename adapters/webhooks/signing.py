"""Signs deliveries, both as Bota's receivers expect and as Standard Webhooks says; creates and seals secrets."""

import hashlib
import hmac
import secrets
from base64 import b64encode
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from standardwebhooks import Webhook

from adapters.private_files import load_or_create_key

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with
_NONCE_BYTES, _KEY_BYTES = 12, 32


def new_secret() -> str:
    """192 random bits, in Standard Webhooks' form."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(24)).decode()


def signed_headers(secret: str, event_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
    """The headers of one attempt: receivers refuse an old timestamp, so each attempt is signed again.

    Bota's (P): the hex HMAC-SHA256, keyed with the whole secret string, of timestamp, a dot, and the raw body.
    """
    timestamp = str(int(now.timestamp()))
    signature = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "X-Bota-Timestamp": timestamp,
        "X-Bota-Signature": f"v1={signature}",
        "X-Bota-Event-Id": event_id,
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": Webhook(secret).sign(event_id, now, body.decode()),
    }


class Sealer:
    """Encrypts secrets for storage (AES-256-GCM), each bound to the name of what it belongs to."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def with_key_file(cls, path: Path) -> "Sealer":
        """The key is in a file that only its owner can read, created on first use. Raises: DamagedKey; OSError."""
        if_lost = "the webhooks' secrets cannot be read any more"
        return cls(load_or_create_key(path, _KEY_BYTES, name="key for webhooks' secrets", if_lost=if_lost))

    def seal(self, secret: str, *, name: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), name.encode())

    def unseal(self, sealed: bytes, *, name: str) -> str:
        """Raises: cryptography.exceptions.InvalidTag if it was sealed with another key or under another name."""
        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, encrypted, name.encode()).decode()

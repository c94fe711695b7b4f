"""Signs deliveries, both as Bota's receivers expect and as Standard Webhooks says; creates secrets."""

import hashlib
import hmac
import secrets
from base64 import b64encode
from datetime import datetime
from pathlib import Path

from standardwebhooks import Webhook

from adapters.sealing import Sealer

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with


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


def sealer_of_secrets(path: Path) -> Sealer:
    """What encrypts secrets for storage, each under its endpoint's id. Raises: DamagedKey; OSError."""
    if_lost = "the webhooks' secrets cannot be read any more"
    return Sealer.with_key_file(path, name="key for webhooks' secrets", if_lost=if_lost)

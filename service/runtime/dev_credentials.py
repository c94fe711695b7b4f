"""Credentials for development: made at the first start on a loopback address, when there are none at all.

They are random, stand in `dev-credentials.json` in the data directory, and only its owner can read them. A file of an
older version, which lacks a dialect's entry, gets it added. On any other address they are revoked: the file is removed,
and with it the development issuer's key.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from adapters.keys import KeyKind, KeyStore
from adapters.private_files import write_private_file
from service.dialects.dragon.dev_issuer import AUDIENCE, ISSUER_PATH, TOKEN_PATH, DevClient, signing_key_path
from service.runtime.settings import Settings

FILE_NAME = "dev-credentials.json"
NewId = Callable[[], str]
"""Gives 32 random hex digits."""

Entry = dict[str, str]

_CLIENT = ("client_id", "client_secret", "customer_id", "partner_id", "product_id")
_NEEDED = {"bota": ("api_key", "device_token", "project_id"), "dorsum": ("api_key", "client_key"), "dragon": _CLIENT}


class BadDevCredentials(Exception):
    def __init__(self, path: Path, *, because: str = "cannot be read as JSON") -> None:
        super().__init__(f"{path} {because}; remove it, and `tapedeck keys create` makes a key.")


def settle_dev_credentials(settings: Settings, keys: KeyStore, *, new_id: NewId) -> Path | None:
    """Make the credentials where they are wanted, and revoke them where they must not be; says where they are, if so.

    Raises: BadDevCredentials; OSError.
    """
    path = settings.data_dir / FILE_NAME
    if not settings.is_development:
        if path.exists():
            _revoke(_read(path), keys)
            path.unlink()
        # Without the key, what it has signed is void for good, and not only until the service is on loopback again.
        signing_key_path(settings.data_dir).unlink(missing_ok=True)
        return None
    written: dict[str, Any] = {}
    if path.exists():
        written = _read(path)
    elif any(key.revoked_at is None for key in keys.list_keys()):
        return None
    bota = written.get("bota") or _bota(keys, new_id)
    dorsum = written.get("dorsum") or _dorsum(keys, project_id=bota["project_id"])
    dragon = written.get("dragon") or _dragon(bota["project_id"], new_id)
    addresses = {"issuer": settings.base_url + ISSUER_PATH, "token_url": settings.base_url + TOKEN_PATH}
    dialects = {"bota": bota, "dorsum": dorsum, "dragon": {**dragon, **addresses}}
    # Also when nothing was added: the port may have changed.
    _write(path, {**written, "base_url": settings.base_url, **dialects})
    return path


def development_client(path: Path) -> DevClient:
    """The Dragon client that the credentials at `path` describe. Raises: BadDevCredentials; OSError."""
    dragon = _read(path)["dragon"]
    return DevClient(**{name: dragon[name] for name in _CLIENT})


def _read(path: Path) -> dict[str, Any]:
    """What is written there; an entry that there is, is whole. Raises: BadDevCredentials; OSError."""
    try:
        credentials = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        raise BadDevCredentials(path) from None
    if not isinstance(credentials, dict):
        raise BadDevCredentials(path, because="is not a JSON object")
    for entry, names in _NEEDED.items():
        held = credentials.get(entry, {})
        if not isinstance(held, dict) or (held and not all(isinstance(held.get(name), str) for name in names)):
            raise BadDevCredentials(path, because=f"lacks something in {entry!r}")
    return credentials


def _revoke(credentials: dict[str, Any], keys: KeyStore) -> None:
    bota, dorsum = credentials.get("bota", {}), credentials.get("dorsum", {})
    for token in (bota.get("api_key"), bota.get("device_token"), dorsum.get("api_key"), dorsum.get("client_key")):
        key = keys.authenticate(token, now=datetime.now(UTC)) if token else None
        if key is not None:
            keys.revoke(key.id)


def _bota(keys: KeyStore, new_id: NewId) -> Entry:
    project_id, device_id, end_user_id = f"proj_{_uuid(new_id).hex}", f"dev_{new_id()}", f"eu_{new_id()}"
    secret = keys.create(KeyKind.SECRET, project_id=project_id, name="development", live=False)
    device = keys.create(
        KeyKind.DEVICE, project_id=project_id, device_id=device_id, end_user_id=end_user_id, name="development"
    )
    return {
        "api_key": secret.token,
        "device_token": device.token,
        "end_user_id": end_user_id,
        "device_id": device_id,
        "project_id": project_id,
    }


def _dorsum(keys: KeyStore, *, project_id: str) -> Entry:
    """An API key that is good for consultations alone: it may stand in a browser."""
    scopes = frozenset({"consultations:write"})
    api_key = keys.create(
        KeyKind.RESTRICTED, project_id=project_id, scopes=scopes, name="development, Dorsum", live=False
    )
    client_key = keys.create(KeyKind.CLIENT, project_id=project_id, name="development, Dorsum")
    return {"api_key": api_key.token, "client_key": client_key.token}


def _dragon(project_id: str, new_id: NewId) -> Entry:
    return {
        "audience": AUDIENCE,
        "client_id": f"dev-{new_id()}",
        "client_secret": new_id(),
        "customer_id": str(_customer_of(project_id) or _uuid(new_id)),
        "partner_id": str(_uuid(new_id)),
        "product_id": str(_uuid(new_id)),
    }


def _customer_of(project_id: str) -> UUID | None:
    """The customer whose recordings the project's keys see (`tenant_of_customer`, read backwards)."""
    try:
        return UUID(hex=project_id.removeprefix("proj_"))
    except ValueError:
        return None


def _uuid(new_id: NewId) -> UUID:
    return UUID(hex=new_id(), version=4)


def _write(path: Path, credentials: dict[str, Any]) -> None:
    write_private_file(path, orjson.dumps(credentials, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

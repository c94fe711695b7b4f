"""Credentials for development: made at the first start on a loopback address, when there are none at all.

They are random, stand in `dev-credentials.json` in the data directory, and only its owner can read them. On any other
address they are revoked and the file is removed.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from adapters.keys import KeyKind, KeyStore
from adapters.private_files import write_private_file
from service.settings import Settings

FILE_NAME = "dev-credentials.json"


class BadDevCredentials(Exception):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} cannot be read as JSON; remove it, and `tapedeck keys create` makes a key.")


def settle_dev_credentials(settings: Settings, keys: KeyStore, *, new_id: Callable[[], str]) -> Path | None:
    """Make the credentials where they are wanted, and revoke them where they must not be; says where they are, if so.

    Raises: BadDevCredentials; OSError.
    """
    path = settings.data_dir / FILE_NAME
    if not settings.is_development:
        if path.exists():
            _revoke(_read(path), keys)
            path.unlink()
        return None
    if path.exists():
        _write(path, {**_read(path), "base_url": settings.base_url})  # the port may have changed
        return path
    if any(key.revoked_at is None for key in keys.list_keys()):
        return None
    bota = _bota(keys, new_id)
    dorsum = _dorsum(keys, project_id=bota["project_id"])
    _write(path, {"base_url": settings.base_url, "bota": bota, "dorsum": dorsum})
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        credentials = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        raise BadDevCredentials(path) from None
    if not isinstance(credentials, dict):
        raise BadDevCredentials(path)
    return credentials


def _revoke(credentials: dict[str, Any], keys: KeyStore) -> None:
    bota, dorsum = credentials.get("bota", {}), credentials.get("dorsum", {})
    for token in (bota.get("api_key"), bota.get("device_token"), dorsum.get("api_key"), dorsum.get("client_key")):
        key = keys.authenticate(token, now=datetime.now(UTC)) if token else None
        if key is not None:
            keys.revoke(key.id)


def _bota(keys: KeyStore, new_id: Callable[[], str]) -> dict[str, str]:
    project_id, device_id, end_user_id = f"proj_{new_id()}", f"dev_{new_id()}", f"eu_{new_id()}"
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


def _dorsum(keys: KeyStore, *, project_id: str) -> dict[str, str]:
    """An API key that is good for consultations alone: it may stand in a browser."""
    scopes = frozenset({"consultations:write"})
    api_key = keys.create(
        KeyKind.RESTRICTED, project_id=project_id, scopes=scopes, name="development, Dorsum", live=False
    )
    client_key = keys.create(KeyKind.CLIENT, project_id=project_id, name="development, Dorsum")
    return {"api_key": api_key.token, "client_key": client_key.token}


def _write(path: Path, credentials: dict[str, Any]) -> None:
    write_private_file(path, orjson.dumps(credentials, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

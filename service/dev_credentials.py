"""Credentials for development: made at the first start on a loopback address, when there are none at all.

They are random, stand in `dev-credentials.json` in the data directory, and only its owner can read them.
"""

import os
from collections.abc import Callable
from pathlib import Path

import orjson

from adapters.keys import KeyKind, KeyStore
from service.settings import Settings

FILE_NAME = "dev-credentials.json"


def ensure_dev_credentials(settings: Settings, keys: KeyStore, *, new_id: Callable[[], str]) -> Path | None:
    """Write the credentials if this is the place and the time for it; says where they are, if anywhere."""
    path = settings.data_dir / FILE_NAME
    if not settings.is_development:
        return None
    if path.exists():
        _write(path, {**orjson.loads(path.read_bytes()), "base_url": settings.base_url})  # the port may have changed
        return path
    if keys.list_keys():
        return None
    _write(path, {"base_url": settings.base_url, "bota": _bota(keys, new_id)})
    return path


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


def _write(path: Path, credentials: dict[str, object]) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(credentials, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)

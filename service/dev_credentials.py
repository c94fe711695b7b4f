"""Credentials for development: made at the first start on a loopback address, when there are none at all.

They are random, stand in `dev-credentials.json` in the data directory, and only its owner can read them. A file of an
older version, which lacks a dialect's entry, gets it added.
"""

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from adapters.keys import KeyKind, KeyStore
from service.dev_issuer import AUDIENCE, ISSUER_PATH, TOKEN_PATH, DevClient
from service.settings import Settings

FILE_NAME = "dev-credentials.json"
NewId = Callable[[], str]
"""Gives 32 random hex digits."""

Entry = dict[str, str]


def ensure_dev_credentials(settings: Settings, keys: KeyStore, *, new_id: NewId) -> Path | None:
    """Write the credentials if this is the place and the time for it; says where they are, if anywhere."""
    path = settings.data_dir / FILE_NAME
    if not is_loopback(settings.host):
        return None
    written: dict[str, Any] = {}
    if path.exists():
        written = orjson.loads(path.read_bytes())
    elif keys.list_keys():
        return None
    bota = written.get("bota") or _bota(keys, new_id)
    dragon = written.get("dragon") or _dragon(bota["project_id"], new_id)
    addresses = {"issuer": settings.base_url + ISSUER_PATH, "token_url": settings.base_url + TOKEN_PATH}
    credentials = {"base_url": settings.base_url, "bota": bota, "dragon": {**dragon, **addresses}}
    _write(path, {**written, **credentials})  # also when nothing was added: the port may have changed
    return path


def development_client(path: Path) -> DevClient:
    """The Dragon client that the credentials at `path` describe."""
    dragon = orjson.loads(path.read_bytes())["dragon"]
    names = ("client_id", "client_secret", "customer_id", "partner_id", "product_id")
    return DevClient(**{name: dragon[name] for name in names})


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


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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

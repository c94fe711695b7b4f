"""Development credentials: made at the first start in development mode, if there are none.

They are random, in `dev-credentials.json` in the data directory, readable only by its owner. An entry that is missing
because the file is from an older version is added. Outside of development mode they are revoked: the file is removed,
and with it every other development file of a dialect.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from adapters.keys import KeyKind, KeyStore
from adapters.private_files import write_private_file
from service.application.clock import NewId
from service.dialects.dialect import DevCredentials, Development, Entry
from service.dialects.http.settings import HttpSettings
from service.dialects.registry import DIALECTS

FILE_NAME = "dev-credentials.json"


_FOR_PEOPLE = (KeyKind.SECRET, KeyKind.RESTRICTED)

logger = logging.getLogger(__name__)


class BadDevCredentials(Exception):
    def __init__(self, path: Path, *, because: str = "cannot be read as JSON") -> None:
        super().__init__(f"{path} {because}; remove it, then use `tapedeck keys create` to make a key.")


def settle_dev_credentials(settings: HttpSettings, keys: KeyStore, *, new_id: NewId) -> Mapping[str, Entry]:
    """Make the credentials where they are wanted, and revoke them where they must not exist.

    Returns the resulting entries by the dialect's name. Raises: BadDevCredentials; OSError.
    """
    path = settings.data_dir / FILE_NAME
    if not settings.is_development:
        _remove(path, keys)
        return {}
    written: dict[str, Any] = {}
    if path.exists():
        written = _read(path)
    elif any(key.revoked_at is None for key in keys.list_keys()):
        return {}
    development = Development(keys, _project_id(written, new_id), new_id)
    entries = {
        name: (written.get(name) or credentials.make(development)) | credentials.addresses(settings.base_url)
        for name, credentials in _kinds()
    }
    # Also if nothing was added: the port may have changed.
    _write(path, {**written, "base_url": settings.base_url, **entries})
    return entries


def written_base_url(data_dir: Path) -> str | None:
    """Where the service said it is when it last settled them; None if there are none.

    Raises: BadDevCredentials; OSError.
    """
    path = data_dir / FILE_NAME
    return _read(path).get("base_url") if path.exists() else None


def _kinds() -> Iterator[tuple[str, DevCredentials]]:
    for dialect in DIALECTS:
        if dialect.dev_credentials is not None:
            yield dialect.name, dialect.dev_credentials


def _project_id(written: Mapping[str, Any], new_id: NewId) -> str:
    """One project for all dialects: the one that an entry names, or else a new one."""
    entries = (written.get(name, {}) for name, _ in _kinds())
    named = (entry["project_id"] for entry in entries if "project_id" in entry)
    return next(named, None) or f"proj_{UUID(hex=new_id(), version=4).hex}"


def _read(path: Path) -> dict[str, Any]:
    """The file's content; every entry in it is complete. Raises: BadDevCredentials; OSError."""
    try:
        written = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        raise BadDevCredentials(path) from None
    if not isinstance(written, dict):
        raise BadDevCredentials(path, because="is not a JSON object")
    for name, credentials in _kinds():
        held = written.get(name, {})
        is_whole = isinstance(held, dict) and all(isinstance(held.get(field), str) for field in credentials.needed)
        if held != {} and not is_whole:
            raise BadDevCredentials(path, because=f"lacks something in {name!r}")
    return written


def _remove(path: Path, keys: KeyStore) -> None:
    """Revoke the keys in the file, if there is one, and remove it with the other files that belong to it."""
    written = _read(path) if path.exists() else {}
    for name, credentials in _kinds():
        for field in credentials.tokens:
            _revoke(written.get(name, {}).get(field), keys)
    _warn_of_others(written, keys)
    path.unlink(missing_ok=True)
    for _, credentials in _kinds():
        for file in credentials.files:
            (path.parent / file).unlink(missing_ok=True)


def _revoke(token: str | None, keys: KeyStore) -> None:
    key = keys.authenticate(token, now=datetime.now(UTC)) if token else None
    if key is not None:
        keys.revoke(key.id)


def _warn_of_others(written: Mapping[str, Any], keys: KeyStore) -> None:
    """Keys that were made beside those of the file, and may be wanted: they stay in force."""
    projects = {entry["project_id"] for name, _ in _kinds() if "project_id" in (entry := written.get(name, {}))}
    for project_id in projects:
        left = [key.id for key in keys.list_keys(project_id) if key.revoked_at is None and key.kind in _FOR_PEOPLE]
        if left:
            extra = {"project_id": project_id, "keys": left, "advice": "revoke those that nobody needs"}
            logger.warning("keys of the former project stay in force", extra=extra)


def _write(path: Path, credentials: dict[str, Any]) -> None:
    write_private_file(path, orjson.dumps(credentials, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

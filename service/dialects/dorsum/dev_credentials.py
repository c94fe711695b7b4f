"""Dorsum's development credentials: an API key and a client key."""

from adapters.keys import KeyKind
from service.dialects.dialect import DevCredentials, Development, Entry
from service.dialects.dorsum.names import SCOPE


def _make(development: Development) -> Entry:
    """The API key is only for consultations: it may be used in a browser."""
    api_key = development.keys.create(
        KeyKind.RESTRICTED,
        project_id=development.project_id,
        scopes=frozenset({SCOPE}),
        name="development, Dorsum",
        live=False,
    )
    client_key = development.keys.create(KeyKind.CLIENT, project_id=development.project_id, name="development, Dorsum")
    return {"api_key": api_key.token, "client_key": client_key.token}


DEV_CREDENTIALS = DevCredentials(make=_make, needed=("api_key", "client_key"), tokens=("api_key", "client_key"))

"""Which URLs name an event log. Apart from `opening`, so that settings are checked without importing any store."""

from pathlib import Path
from urllib.parse import urlsplit

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def check_log_url(url: str) -> None:
    """Raises: ValueError, which says what the URL must be."""
    if not (_names_a_file(url) or _names_a_database(url)):
        raise ValueError("must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE")


def is_postgres(url: str) -> bool:
    """Whether the log is in PostgreSQL. Raises: ValueError for a URL that names no log."""
    try:
        check_log_url(url)
    except ValueError as error:
        raise ValueError(f"There is no event log for {place_of(url)!r}: it {error}.") from None
    return url.startswith(_POSTGRES)


def sqlite_path(url: str) -> Path:
    """The file that a `sqlite:///PATH` names."""
    return Path(url.removeprefix(_SQLITE))


def place_of(url: str) -> str:
    """The file or database that a URL names, as it may be shown: without a password."""
    if url.startswith(_SQLITE):
        return str(sqlite_path(url))
    if not url.startswith(_POSTGRES):
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _names_a_file(url: str) -> bool:
    return url.startswith(_SQLITE) and url != _SQLITE


def _names_a_database(url: str) -> bool:
    if not url.startswith(_POSTGRES):
        return False
    from psycopg import ProgrammingError  # noqa: PLC0415 - takes a while to import
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        return bool(conninfo_to_dict(url).get("dbname"))
    except ProgrammingError:
        return False

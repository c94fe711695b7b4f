"""Which URLs name an event log. Apart from `opening`, so that settings are checked without importing any store."""

from pathlib import Path

_SQLITE = "sqlite:///"


def check_log_url(url: str) -> None:
    """Raises: ValueError, which says what the URL must be."""
    if not url.startswith(_SQLITE) or url == _SQLITE:
        raise ValueError("must be sqlite:///PATH")


def sqlite_path(url: str) -> Path:
    """The file that a `sqlite:///PATH` names. Raises: ValueError for a URL of another kind."""
    try:
        check_log_url(url)
    except ValueError as error:
        raise ValueError(f"There is no event log for {url!r}: it {error}.") from None
    return Path(url.removeprefix(_SQLITE))

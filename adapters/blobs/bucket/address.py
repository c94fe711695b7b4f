"""Which bucket, where in it, and how it is reached: what an `s3://` URL says.

`s3://BUCKET/PREFIX?endpoint=URL&region=NAME&seconds=NUMBER&folder=PATH&index=URL`. All but the bucket may be left out.
Endpoint and region are then read from AWS's usual environment variables, as the credentials are.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

DEFAULT_SECONDS = 30.0
"""How long one request may take, with all its repetitions."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,127}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,127})*)?")
_MOST_PREFIX_LENGTH = 256  # with a blob's key behind it, it must fit S3's 1024
_KNOWN = {"endpoint", "region", "seconds", "folder", "index"}


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """`folder`: the local folder of the index, and of bodies that arrive. `index`: the URL of the PostgreSQL database
    that the index is in instead. `seconds`: how long one request may take, repetitions included."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    seconds: float
    folder: Path | None
    index: str | None = field(repr=False)  # it may have a password

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def parse_address(url: str) -> BucketAddress:
    """Raises: ValueError, which says what the URL must be."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must be without credentials: they are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    prefix = parts.path.strip("/")
    if not _BUCKET.fullmatch(parts.netloc) or len(prefix) > _MOST_PREFIX_LENGTH or not _PREFIX.fullmatch(prefix):
        raise ValueError("must be s3://BUCKET or s3://BUCKET/PREFIX")
    if parts.fragment:
        raise ValueError("must be without a fragment")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := options.keys() - _KNOWN:
        raise ValueError(f"must be without {min(unknown)!r}: only endpoint, region and seconds can be given")
    endpoint = options.get("endpoint")
    if endpoint is not None and not re.fullmatch(r"https?://[^/@?#]+/?", endpoint):
        raise ValueError("must have an endpoint such as https://HOST:PORT")
    folder = options.get("folder")
    return BucketAddress(
        bucket=parts.netloc,
        prefix=prefix,
        endpoint=endpoint,
        region=options.get("region"),
        seconds=_seconds(options.get("seconds")),
        folder=None if folder is None else Path(unquote(folder)),
        index=options.get("index"),
    )


def with_folder(url: str, folder: Path) -> str:
    """The URL with the folder of the index in it, as worker processes get it."""
    return _with(url, folder=str(folder))


def with_index(url: str, database_url: str) -> str:
    """The URL with that of the database in it that the index is in."""
    return _with(url, index=database_url)


def _with(url: str, **options: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(options)}"


def _seconds(given: str | None) -> float:
    if given is None:
        return DEFAULT_SECONDS
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3})?", given) or not float(given):
        raise ValueError("must have seconds between 0.001 and 999")
    return float(given)

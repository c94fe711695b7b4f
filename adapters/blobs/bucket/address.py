"""Which bucket, where in it, and how it is reached: what a URL of `s3://`, `gs://` or `az://` says.

`s3://BUCKET/PREFIX?endpoint=URL&region=NAME&seconds=NUMBER&folder=PATH&index=URL`. All but the bucket may be left out.
Endpoint and region are then read from the cloud's usual environment variables, as the credentials are. Only S3 has
regions. A bucket of Azure is a container in the storage account that the environment names.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

DEFAULT_SECONDS = 30.0
"""How long one request may take, with all its repetitions."""

Cloud = Literal["s3", "gs", "az"]
CLOUDS: tuple[Cloud, ...] = get_args(Cloud)

_BUCKET = {
    "s3": re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    "gs": re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"),
    "az": re.compile(r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*"),
}
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_PREFIX = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,127}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,127})*)?")
_MOST_PREFIX_LENGTH = 256  # with a blob's key behind it, it must fit S3's 1024
_ENDPOINT = r"https?://[^/@?#]+/?"
_AZURE_ENDPOINT = r"https?://[^/@?#]+(/[a-z0-9]{3,24})?/?"
_OF_ALL = ("endpoint", "seconds")
_OPTIONS = {"s3": ("endpoint", "region", "seconds"), "gs": _OF_ALL, "az": _OF_ALL}
_ADDED = {"folder", "index"}


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """`folder`: the local folder of the index, and of bodies that arrive. `index`: the URL of the PostgreSQL database
    that the index is in instead. `seconds`: how long one request may take, repetitions included."""

    cloud: Cloud
    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    seconds: float
    folder: Path | None
    index: str | None = field(repr=False)  # it may have a password

    def __str__(self) -> str:
        return f"{self.cloud}://{self.bucket}/{self.prefix}".rstrip("/")


def is_address(url: str) -> bool:
    """Whether it begins as that of a bucket does."""
    return url.startswith(tuple(f"{cloud}://" for cloud in CLOUDS))


def parse_address(url: str) -> BucketAddress:
    """Raises: ValueError, which says what the URL must be."""
    parts = urlsplit(url)
    cloud = next((each for each in CLOUDS if each == parts.scheme), None)
    if cloud is None:
        raise ValueError("must begin with s3://, gs:// or az://")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"must be without credentials: they are read from {_CREDENTIALS[cloud]}")
    prefix = parts.path.strip("/")
    is_place = _BUCKET[cloud].fullmatch(parts.netloc) and _PREFIX.fullmatch(prefix)
    if not is_place or len(prefix) > _MOST_PREFIX_LENGTH:
        bucket = "CONTAINER" if cloud == "az" else "BUCKET"
        raise ValueError(f"must be {cloud}://{bucket} or {cloud}://{bucket}/PREFIX")
    if parts.fragment:
        raise ValueError("must be without a fragment")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := options.keys() - _ADDED - {*_OPTIONS[cloud]}:
        *some, last = _OPTIONS[cloud]
        raise ValueError(f"must be without {min(unknown)!r}: only {', '.join(some)} and {last} can be given")
    endpoint = options.get("endpoint")
    # At some of Azure's, the account is not in the host's name but the path.
    if endpoint is not None and not re.fullmatch(_AZURE_ENDPOINT if cloud == "az" else _ENDPOINT, endpoint):
        raise ValueError("must have an endpoint such as https://HOST:PORT")
    folder = options.get("folder")
    return BucketAddress(
        cloud=cloud,
        bucket=parts.netloc,
        prefix=prefix,
        endpoint=endpoint and endpoint.rstrip("/"),
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

"""One place in a bucket, through obstore: blocking requests, repeated within a bound, with errors of the port."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from adapters.blobs.bucket.address import BucketAddress
from adapters.blobs.bucket.clients import (
    KEEPS_GENERATIONS,
    NO_ACCOUNT,
    NO_SUCH_BUCKET,
    NO_SUCH_OBJECT,
    TAKES_MANY_DELETIONS,
    client_of,
)
from adapters.blobs.port import BlobNotFound, StorageUnavailable

logger = logging.getLogger(__name__)

PROBES = "probes"
"""The folder of the objects that prove that the bucket can be written."""

PART_BYTES = 5 * 1024 * 1024
"""A larger file is sent in parts of this size, the least that S3 takes: memory holds few of them."""

_MOST_IN_ONE_BYTES = 64 * 1024 * 1024
"""What is in memory already is sent in one request up to this size: then it is an object, or nothing is."""

_PARTS_AT_ONCE = 1
_DELETED_AT_ONCE = 1_000
_DELETING_THREADS = 16


class Bucket:
    """Can be used from any thread. All methods raise StorageUnavailable; those that read, BlobNotFound, too."""

    def __init__(self, address: BucketAddress) -> None:
        self._address = address
        with _errors_named(f"{address}"):
            self._store = client_of(address)

    def __str__(self) -> str:
        return str(self._address)

    def put(self, name: str, content: bytes) -> None:
        """Write an object, which is durable on return. Not retracted if this raises: it may still be written."""
        with self._errors():
            in_parts = len(content) > _MOST_IN_ONE_BYTES
            obstore.put(
                self._store,
                name,
                content,
                use_multipart=in_parts,
                chunk_size=PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    def put_file(self, name: str, path: Path) -> None:
        """Write a file's content, as `put` does, without holding it in memory."""
        with self._errors():
            if path.stat().st_size:
                obstore.put(self._store, name, path, chunk_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
            else:
                obstore.put(self._store, name, b"")

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one of that name; returns whether it was written."""
        try:
            with self._errors():
                obstore.put(self._store, name, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def keeps_versions(self) -> bool:
        """Whether the bucket keeps what is deleted as old versions. Its "soft deletion" cannot be asked for here."""
        name = f"{PROBES}/{uuid4()}"
        with self._errors():
            version = obstore.put(self._store, name, b"", use_multipart=False)["version"]
        self.delete([name])
        if version in (None, "null"):
            return False
        return self._address.cloud not in KEEPS_GENERATIONS or self._has_version(name, version)

    def _has_version(self, name: str, version: str) -> bool:
        try:
            with self._errors(reading=name):
                obstore.get(self._store, name, options={"version": version})
        except BlobNotFound:
            return False
        return True

    def read(self, name: str, start: int, length: int, *, key: str) -> bytes:
        """Bytes of an object that has them. `key`: what is being read, for BlobNotFound."""
        if not length:
            return b""
        with self._errors(reading=key):
            block = obstore.get_range(self._store, name, start=start, length=length).to_bytes()
        if len(block) != length:
            raise StorageUnavailable("an object in its bucket is shorter than it was")
        return block

    def beginning(self, name: str, most_bytes: int) -> bytes:
        """The first bytes of an object."""
        with self._errors(reading=name):
            return obstore.get(self._store, name, options={"range": (0, most_bytes)}).bytes().to_bytes()

    def whole(self, name: str) -> bytes:
        with self._errors(reading=name):
            return obstore.get(self._store, name).bytes().to_bytes()

    def size(self, name: str, *, key: str) -> int:
        """`key`: what is being looked for, for BlobNotFound."""
        with self._errors():
            try:
                return obstore.head(self._store, name)["size"]
            except FileNotFoundError:
                # The answer to HEAD says no more than 404, also if there is no such bucket; that to a listing does.
                next(iter(obstore.list(self._store, "none", chunk_size=1)), None)
        raise BlobNotFound(key)

    def has(self, name: str) -> bool:
        try:
            self.size(name, key=name)
        except BlobNotFound:
            return False
        return True

    def signed_url(self, name: str, lasting: timedelta) -> str:
        """Where anybody can GET the object for so long. Made without asking the bucket, so it may not exist."""
        with self._errors():
            return obstore.sign(self._store, "GET", name, lasting)

    def delete(self, names: Sequence[str]) -> None:
        """Deleting what is not there is no error."""
        if self._address.cloud in TAKES_MANY_DELETIONS:
            for start in range(0, len(names), _DELETED_AT_ONCE):
                with self._errors():
                    obstore.delete(self._store, list(names[start : start + _DELETED_AT_ONCE]))
        elif names:
            with ThreadPoolExecutor(min(len(names), _DELETING_THREADS), thread_name_prefix="deleting") as threads:
                for _ in threads.map(self._delete_one, names):
                    pass

    def _delete_one(self, name: str) -> None:
        with self._errors():
            try:
                obstore.delete(self._store, name)
            except FileNotFoundError as error:
                if not _says(error, NO_SUCH_OBJECT):  # then it is another's 404, such as a proxy's
                    raise

    def sizes(self, folder: str) -> Iterator[tuple[str, int]]:
        """Name and size of every object in the folder, at any depth."""
        with self._errors():
            for some in obstore.list(self._store, folder, chunk_size=1_000):
                yield from ((each["path"], each["size"]) for each in some)

    @contextmanager
    def _errors(self, *, reading: str | None = None) -> Iterator[None]:
        with _errors_named(str(self), reading=reading):
            yield


@contextmanager
def _errors_named(bucket: str, *, reading: str | None = None) -> Iterator[None]:
    """obstore's errors as the port's. What a server says may hold names and addresses, so it is not passed on."""
    try:
        yield
    except AlreadyExistsError:
        raise
    except (BaseError, OSError) as error:
        if reading is not None and _says(error, NO_SUCH_OBJECT):
            raise BlobNotFound(reading) from error
        # Up to the server's own words, which may hold the access key's id.
        logger.warning(
            "the bucket failed", extra={"bucket": bucket, "because": str(error).partition("\n")[0].partition("<")[0]}
        )
        raise StorageUnavailable(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Clients read it: what a server says may hold names and addresses. Not every error has a class of its own."""
    if _says(error, NO_SUCH_BUCKET):
        return "there is no such bucket"
    if _says(error, [NO_ACCOUNT]):
        return "AZURE_STORAGE_ACCOUNT_NAME is not set"
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _says(error, ["403 Forbidden"]):
        return "the bucket refuses these credentials"
    return "the bucket does not answer as it should"


def _says(error: Exception, any_of: Iterable[str]) -> bool:
    said = str(error)
    return any(each in said for each in any_of)

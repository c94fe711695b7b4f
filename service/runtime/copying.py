"""Takes a service from one data directory to another place, with a log and blobs of its own: `tapedeck copy`.

Passes beside the living service copy most of it; the last pass, without the service, the rest. A pass that was killed
goes on at the next run. Nothing of the source is changed.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.blobs.opening import INDEX_SCHEMA, open_store
from adapters.blobs.port import BlobStore
from adapters.event_log import copying as log_copying
from adapters.event_log.copying import CopyRefused, SameEvents
from adapters.event_log.log_file import LogFile
from adapters.event_log.opening import open_copy
from adapters.event_log.port import CopyRecorder
from adapters.event_log.url import is_postgres, place_of
from adapters.private_files import write_private_file
from service.runtime.copied_blobs import CopiedBlobs, SameBlobs, compare_blobs, copy_blobs, read_back
from service.runtime.copied_files import MADE_ANEW, MADE_ANEW_IN_POSTGRES, MARKER, copy_file, files_to_copy
from service.runtime.data_dir import owned_data_dir
from service.runtime.settings import LOG_FILE, Settings

Tell = Callable[[str, int], None]
"""Called often with what is being copied, and how far it is."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the service is that is to be copied. Only for reading."""

    data_dir: Path
    log: Path
    blobs_url: str


@dataclass(frozen=True, slots=True)
class Pass:
    """What one run has done. `blobs`: None if they stay where they are. `same` and `files`: of the last one only."""

    events: int
    blobs: CopiedBlobs | None
    read_back: int | None
    same: "Same | None"


@dataclass(frozen=True, slots=True)
class Same:
    """What is the same in both places. `blobs`: None if they stay where they are."""

    events: SameEvents
    blobs: SameBlobs | None
    files: list[str]


def source_of(data_dir: Path, *, blobs_url: str | None = None) -> Source:
    """The service of a data directory. `blobs_url`: its TAPEDECK_BLOB_URL, if it has one. Raises: CopyRefused."""
    log = data_dir / LOG_FILE
    if not log.is_file():
        raise CopyRefused(f"{data_dir} has no event log in a file, {LOG_FILE}: there is nothing to copy.")
    if blobs_url is None and (data_dir / "bucket").exists():
        raise CopyRefused(f"The blobs of {data_dir} are in a bucket already; from there they cannot be copied.")
    default = (data_dir.absolute() / "blobs").as_uri().replace("file:", "segments:", 1)
    return Source(data_dir, log, blobs_url or default)


def copy_service(source: Source, settings: Settings, *, is_last: bool, reads_back: bool, tell: Tell) -> Pass:
    """One pass, to where the settings say. `reads_back`: every blob of the copy is read once more.

    Raises: CopyRefused; BlobsDiffer; FilesDiffer; DataDirInUse, DatabaseInUse; ServerAway; LogUnavailable; BlobFailure;
    OSError; sqlite3.Error.
    """
    if settings.data_dir.resolve().is_relative_to(source.data_dir.resolve()):
        raise CopyRefused("TAPEDECK_DATA_DIR is the source itself, or in it; set it to a new directory.")
    with ExitStack() as held:
        if is_last:
            held.enter_context(_stopped(source.data_dir))
        held.enter_context(owned_data_dir(settings.data_dir))
        if is_postgres(settings.log_url):
            held.enter_context(_own_database(settings.log_url))
        log = LogFile(source.log)
        held.callback(log.close)
        copy = open_copy(settings.log_url)
        held.callback(copy.close)
        return _Copying(source, settings, log, copy, tell).run(is_last=is_last, reads_back=reads_back)


@contextmanager
def _stopped(data_dir: Path) -> Iterator[None]:
    """No service can run on the directory during the block. Raises: CopyRefused; OSError."""
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CopyRefused(f"A tapedeck is running on {data_dir}: stop it before the last pass.") from None
        yield
    finally:
        os.close(lock)


@contextmanager
def _own_database(url: str) -> Iterator[None]:
    """No service can start on the database. Raises: CopyRefused, if one ever did; DatabaseInUse; ServerAway."""
    from adapters.database.in_use import schemas_of_stores  # noqa: PLC0415 - files do without it
    from adapters.database.ownership import DatabaseClaim  # noqa: PLC0415

    claim = DatabaseClaim(url)
    try:
        others = [name for name in schemas_of_stores(url) if name != INDEX_SCHEMA]  # which each pass fills
        if others:
            raise CopyRefused(f"{place_of(url)} has been used by a service already: it has the schema {others[0]}.")
        yield
    finally:
        claim.close()


class _Copying:
    """One pass. Everything that it reads and writes is open, and its own."""

    def __init__(self, source: Source, settings: Settings, log: LogFile, copy: CopyRecorder, tell: Tell) -> None:
        self._source = source
        self._settings = settings
        self._log = log
        self._copy = copy
        self._tell = tell

    def run(self, *, is_last: bool, reads_back: bool) -> Pass:
        # As `MARKER` has it, once a pass has begun: which log is copied here, and where to its blobs go.
        wanted = [self._log.identity, self._settings.blob_place]
        found = _marker_in(self._settings.data_dir) if log_copying.is_begun(self._log, self._copy) else []
        self._check_unused(is_begun=found[:1] == wanted[:1])
        with asyncio.Runner() as runner, ExitStack() as held:
            stores = None
            if self._source.blobs_url != self._settings.blob_place:
                stores = self._open_stores(runner, held)
                _check_empty(stores[1], is_begun=found == wanted)
            log_copying.begin(self._log, self._copy)
            write_private_file(self._settings.data_dir / MARKER, "\n".join(wanted).encode())
            events = self._copy_events()
            blobs = (
                None if stores is None else runner.run(copy_blobs(*stores, lambda count: self._tell("blobs", count)))
            )
            count = self._read_back(stores) if reads_back else None
            same = self._finish(runner, stores, blobs) if is_last else None
        if same is not None:
            log_copying.complete(self._log, self._copy)
        return Pass(events, blobs, count, same)

    def _check_unused(self, *, is_begun: bool) -> None:
        """Raises: CopyRefused."""
        data_dir = self._settings.data_dir
        ours = {"lock", "blobs", "bucket", LOG_FILE, f"{LOG_FILE}-wal", f"{LOG_FILE}-shm", f"{MARKER}.unfinished"}
        others = sorted(path.name for path in data_dir.iterdir() if path.name not in ours)
        if not is_begun and others:
            raise CopyRefused(f"{data_dir} is not new: it has {others[0]}; set TAPEDECK_DATA_DIR to a new directory.")
        if is_begun and MADE_ANEW.intersection(others):
            raise CopyRefused(f"A service has run on the copy in {data_dir}; it is left alone.")

    def _open_stores(self, runner: asyncio.Runner, held: ExitStack) -> tuple[BlobStore, BlobStore]:
        async def opened(url: str, small_bytes: int) -> BlobStore:
            return open_store(url, small_bytes=small_bytes)

        small_bytes = self._settings.segment_body_bytes
        source = runner.run(opened(self._source.blobs_url, small_bytes))
        held.callback(lambda: runner.run(source.close()))
        copy = runner.run(opened(self._settings.blob_store_url, small_bytes))
        held.callback(lambda: runner.run(copy.close()))
        copy.recover()
        return source, copy

    def _copy_events(self) -> int:
        """Returns how many there are. What the service adds meanwhile is for the next pass."""
        for position in log_copying.copy_events(self._log, self._copy):
            self._tell("events", position)
        return self._copy.max_notification_id() or 0

    def _read_back(self, stores: tuple[BlobStore, BlobStore] | None) -> int | None:
        return None if stores is None else read_back(stores[1], lambda count: self._tell("blobs read back", count))

    def _finish(
        self, runner: asyncio.Runner, stores: tuple[BlobStore, BlobStore] | None, copied: CopiedBlobs | None
    ) -> Same:
        if copied is not None and copied.damaged:
            raise CopyRefused(
                f"{len(copied.damaged)} blobs are damaged in the source, such as {copied.damaged[0]}: "
                "`tapedeck blobs check` on it names them all."
            )
        same_blobs = None if stores is None else runner.run(compare_blobs(*stores))
        made_anew = MADE_ANEW_IN_POSTGRES if is_postgres(self._settings.log_url) else MADE_ANEW
        files = files_to_copy(self._source.data_dir, besides=self._source.log, made_anew=made_anew)
        for number, path in enumerate(files, 1):
            copy_file(path, self._settings.data_dir)
            self._tell("files", number)
        return Same(log_copying.compare(self._log, self._copy), same_blobs, [path.name for path in files])


def _marker_in(data_dir: Path) -> list[str]:
    """What `MARKER` says; nothing in a directory that no pass has begun to copy to."""
    marker = data_dir / MARKER
    return marker.read_text().splitlines() if marker.exists() else []


def _check_empty(store: BlobStore, *, is_begun: bool) -> None:
    """Raises: CopyRefused if something is stored that no pass has copied there: it would be erased."""
    if not is_begun and next(iter(store.keys()), None) is not None:
        raise CopyRefused("The destination has blobs already; it must be empty.")

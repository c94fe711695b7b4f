"""`tapedeck copy`: take a service to PostgreSQL, a bucket, or another disk."""

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli import wording
from service.cli.progress import say
from service.runtime.settings import BadSettings, Settings, load_settings

if TYPE_CHECKING:
    from service.runtime.copying import Pass

_SECONDS_BETWEEN_LINES = 2.0


@click.command()
@click.option(
    "--from",
    "source_dir",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Data directory of the service that is to be copied.",
)
@click.option("--from-blobs", metavar="URL", help="That service's TAPEDECK_BLOB_URL, if it had one.")
@click.option("--last", "is_last", is_flag=True, help="Make the copy complete; the service must be stopped.")
@click.option("--read-back", is_flag=True, help="Read every blob of the copy again, and compare its digest.")
def copy(source_dir: Path, from_blobs: str | None, *, is_last: bool, read_back: bool) -> None:
    """Copy a service whose log is in a file to where the settings say: TAPEDECK_DATA_DIR, a new directory,
    TAPEDECK_DATABASE_URL and TAPEDECK_BLOB_URL.

    Run it beside the service, as often as you like: what is there already is not copied again, also after a kill. Then
    stop the service, run it with --last, and start the service with the new settings. The source is not changed.
    """
    from adapters.blobs.port import BlobFailure  # noqa: PLC0415 - what copying needs is slow to import
    from adapters.database.port import DatabaseInUse  # noqa: PLC0415
    from adapters.event_log.copying import CopyRefused  # noqa: PLC0415
    from adapters.event_log.port import LogUnavailable  # noqa: PLC0415
    from adapters.sqlite_file import DatabaseUnavailable  # noqa: PLC0415
    from service.runtime.collector import settle_collector  # noqa: PLC0415
    from service.runtime.copied_blobs import BlobsDiffer  # noqa: PLC0415
    from service.runtime.copied_files import FilesDiffer  # noqa: PLC0415
    from service.runtime.copying import copy_service, source_of  # noqa: PLC0415
    from service.runtime.data_dir import DataDirInUse  # noqa: PLC0415

    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    settle_collector()
    try:
        source = source_of(source_dir, blobs_url=from_blobs)
        done = copy_service(source, settings, is_last=is_last, reads_back=read_back, tell=_Lines().tell)
    except (CopyRefused, BlobsDiffer, FilesDiffer, DataDirInUse, DatabaseInUse) as refused:
        raise click.ClickException(str(refused)) from None
    except (OSError, ValueError, sqlite3.Error, DatabaseUnavailable, LogUnavailable, BlobFailure) as error:
        raise click.ClickException(
            f"The copy stopped, and goes on from here when it is run again: {str(error).rstrip('.')}."
        ) from None
    _print(done, source_dir, settings)


class _Lines:
    """Progress, for people: a line now and then."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def tell(self, what: str, count: int) -> None:
        if time.monotonic() - self._said_at >= _SECONDS_BETWEEN_LINES:
            say(f"{what}: {count:,}")
            self._said_at = time.monotonic()


def _print(done: "Pass", source_dir: Path, settings: Settings) -> None:
    click.echo(f"log: {done.events:,} events are copied.")
    if done.blobs is None:
        click.echo("blobs: they stay where they are.")
    else:
        click.echo(
            f"blobs: {done.blobs.copied:,} copied now, {wording.size(done.blobs.copied_bytes)}; "
            f"{done.blobs.removed:,} erased that the source has erased."
        )
        for key in done.blobs.damaged:
            click.echo(f"{key} is damaged in the source, and was not copied.")
    if done.read_back is not None:
        click.echo(f"blobs: {done.read_back:,} read back, and each is what its digest says.")
    if done.same is None:
        click.echo(f"This was a pass. For the last one, stop the service on {source_dir} and add --last.")
        return
    events, blobs = done.same.events, done.same.blobs
    click.echo(f"log: the same {events.count:,} events in both places, SHA-256 {events.sha256}.")
    if blobs is not None:
        click.echo(f"blobs: the same {blobs.count:,} in both places, {wording.size(blobs.size_bytes)}.")
    click.echo(f"files: {', '.join(done.same.files)}.")
    click.echo(
        f"The copy is complete. Start the service with these settings, TAPEDECK_DATA_DIR={settings.data_dir}, and "
        f"never again on {source_dir}."
    )

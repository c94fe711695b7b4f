"""`tapedeck blobs`: whether everything that the log names is stored, and how much space it takes."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from service.cli.own_log import needing_a_log
from service.runtime.settings import BadSettings, Settings, load_settings


@click.group()
def blobs() -> None:
    """Check the stored bytes against the log, show how much space they take, mend what differs."""


@blobs.command()
def check() -> None:
    """Read every stored byte; verify checksums and digests, also against the log; report what differs.

    Also named is what is stored though the log says that it was erased, as after a restore. The service may be running
    meanwhile. The exit code is 1 if anything that the log names is missing or damaged.
    """
    from service.runtime.blob_check import check_blobs  # noqa: PLC0415

    found = 0
    with _settings() as settings:
        for finding in check_blobs(settings):
            click.echo(finding.sentence)
            found += finding.is_loss
    if found:
        raise click.exceptions.Exit(1)


@blobs.command()
def usage() -> None:
    """Show how many bytes are live, dead, and on the disk or in the bucket."""
    from service.runtime.blob_usage import blob_usage  # noqa: PLC0415

    with _settings() as settings:
        for used in blob_usage(settings):
            click.echo(
                f"{used.kind:<9} {used.blobs:>9} blobs  live {used.live_bytes:>15,}  dead {used.dead_bytes:>15,}  "
                f"{used.where} {used.taken_bytes:>15,} bytes"
            )


@blobs.command()
@click.option("--take-over", is_flag=True, help="Take the bucket, whichever data directory or database had it before.")
def mend(*, take_over: bool) -> None:
    """Put the stored bytes right after a restore, while the service and its workers are stopped.

    What the log says was erased is erased again, such as what an older backup of the bucket brings back of deleted
    recordings; `tapedeck blobs check` says before what that is. Before that, the index of the blobs in a bucket is made
    to say what is in the bucket, as by every start. Nothing else is erased.
    """
    from adapters.blobs.url import is_bucket  # noqa: PLC0415
    from adapters.database.port import DatabaseInUse, ServerAway  # noqa: PLC0415
    from service.runtime.blob_mending import NothingToTakeOver, mend_blobs  # noqa: PLC0415
    from service.runtime.data_dir import DataDirInUse  # noqa: PLC0415

    differences = erased = 0
    with _settings() as settings:
        try:
            for mended in mend_blobs(settings, take_over=take_over):
                click.echo(mended.sentence)
                erased += mended.was_erased
                differences += not mended.was_erased
        except (NothingToTakeOver, DataDirInUse, DatabaseInUse, ServerAway) as error:
            raise click.ClickException(str(error)) from None
    if is_bucket(settings.blob_store_url):
        click.echo(f"{differences} differences between the index and the bucket were mended.")
    click.echo(f"{erased} blobs were erased that the log says were erased before.")


@contextmanager
def _settings() -> Iterator[Settings]:
    from adapters.blobs.port import BlobFailure  # noqa: PLC0415
    from adapters.event_log.opening import require_log  # noqa: PLC0415

    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    with needing_a_log():
        require_log(settings.log_url)
        try:
            yield settings
        except BlobFailure as failure:
            raise click.ClickException(str(failure)) from None

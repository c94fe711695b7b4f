"""`tapedeck blobs`: whether everything that the log names is stored, and how much space it takes."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from service.cli.own_log import needing_a_log
from service.runtime.settings import BadSettings, Settings, load_settings


@click.group()
def blobs() -> None:
    """Check the stored bytes against the log, show how much space they take, mend their index."""


@blobs.command()
def check() -> None:
    """Read every stored byte; verify checksums and digests, also against the log; report what differs.

    The service may be running meanwhile. The exit code is 1 if anything that the log names is missing or damaged.
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
    """Make the index of the blobs in a bucket say what is in the bucket, while the service is stopped.

    Every start does the same. Needed if the index was lost, or the bucket was another data directory's or database's.
    """
    from adapters.database.port import DatabaseInUse, ServerAway  # noqa: PLC0415
    from service.runtime.blob_mending import NothingToMend, mend_blobs  # noqa: PLC0415
    from service.runtime.data_dir import DataDirInUse  # noqa: PLC0415

    found = 0
    with _settings() as settings:
        try:
            for sentence in mend_blobs(settings, take_over=take_over):
                click.echo(sentence)
                found += 1
        except (NothingToMend, DataDirInUse, DatabaseInUse, ServerAway) as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"{found} differences between the index and the bucket were mended.")


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

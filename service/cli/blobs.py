"""`tapedeck blobs`: whether everything that the log names is stored, and how much space it takes."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from service.cli.own_log import needing_a_log
from service.runtime.settings import BadSettings, Settings, load_settings


@click.group()
def blobs() -> None:
    """Check the stored bytes against the log, and show how much space they take."""


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
    """Show how many bytes are live, dead and on the disk."""
    from service.runtime.blob_check import blob_usage  # noqa: PLC0415

    with _settings() as settings:
        for name, blobs_, live, dead, disk in blob_usage(settings):
            click.echo(f"{name:<9} {blobs_:>9} blobs  live {live:>15,}  dead {dead:>15,}  on disk {disk:>15,} bytes")


@contextmanager
def _settings() -> Iterator[Settings]:
    from adapters.event_log.opening import require_log  # noqa: PLC0415

    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    with needing_a_log():
        require_log(settings.log_url)
        yield settings

"""`tapedeck rebuild`: rebuild a read model from the log's first event."""

import sqlite3

import click

from service.cli.own_log import needing_a_log
from service.runtime.settings import BadSettings, load_settings

VIEWS = ("summaries",)


@click.command()
@click.argument("view", type=click.Choice(VIEWS))
def rebuild(view: str) -> None:
    """Rebuild VIEW from the log's first event, in the data directory named in the settings.

    The service may be running meanwhile: queries see the old rows until the new ones are complete.
    """
    from adapters.event_log.opening import open_log  # noqa: PLC0415
    from adapters.event_log.port import LogUnavailable  # noqa: PLC0415
    from adapters.event_log.reader import EventReader  # noqa: PLC0415
    from adapters.summaries import RebuildRunning, SummaryStore  # noqa: PLC0415
    from service.dialects.bota.rendering import recording_status  # noqa: PLC0415
    from service.runtime.collector import settle_collector  # noqa: PLC0415

    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    try:
        with needing_a_log():
            log = open_log(settings.log_url, must_exist=True)
        summaries = SummaryStore(settings.views_path, status_of=recording_status)
        settle_collector()
        position = summaries.rebuild(EventReader(log.recorder).after)
    except (OSError, sqlite3.Error, LogUnavailable, RebuildRunning) as error:
        raise click.ClickException(f"{view} cannot be rebuilt: {str(error).rstrip('.')}.") from None
    click.echo(f"{view}: rebuilt from {position} events.")
    summaries.close()
    log.close()

"""`tapedeck rebuild`: rebuild a read model from the log's first event."""

import sqlite3

import click

from service.runtime.settings import BadSettings, load_settings

VIEWS = ("summaries",)


@click.command()
@click.argument("view", type=click.Choice(VIEWS))
def rebuild(view: str) -> None:
    """Rebuild VIEW from the log's first event, in the data directory named in the settings.

    The service may be running meanwhile: queries see the old rows until the new ones are complete.
    """
    from adapters.event_log.reader import EventReader  # noqa: PLC0415
    from adapters.event_log.recorder import LogUnavailable  # noqa: PLC0415
    from adapters.event_log.sqlite import SQLiteLogRecorder  # noqa: PLC0415
    from adapters.summaries import RebuildRunning, SummaryStore  # noqa: PLC0415
    from service.dialects.bota.rendering import recording_status  # noqa: PLC0415
    from service.runtime.collector import settle_collector  # noqa: PLC0415

    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    if not settings.log_path.exists():
        raise click.ClickException(
            f"There is no event log at {settings.log_path}; set TAPEDECK_DATA_DIR as for the service."
        )
    try:
        recorder = SQLiteLogRecorder(settings.log_path)
        summaries = SummaryStore(settings.views_path, status_of=recording_status)
        settle_collector()
        position = summaries.rebuild(EventReader(recorder).after)
    except (OSError, sqlite3.Error, LogUnavailable, RebuildRunning) as error:
        raise click.ClickException(f"{view} cannot be rebuilt: {str(error).rstrip('.')}.") from None
    click.echo(f"{view}: rebuilt from {position} events.")
    summaries.close()
    recorder.close()

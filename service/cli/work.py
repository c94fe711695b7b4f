"""`tapedeck work`: only the stages' work, for a service on another machine."""

import asyncio

import click

from service.cli.own_log import needing_a_log
from service.cli.serve import fast_loop
from service.runtime.settings import BadSettings, load_settings


@click.command()
def work() -> None:
    """Stitch, transcribe and write notes for a service on another machine, until Ctrl-C or SIGTERM.

    It needs the service's settings, with the log in PostgreSQL and the blobs in a bucket, and a TAPEDECK_DATA_DIR of
    its own. Any number may run, and be started, stopped and killed at any time: what one has not ended is done by
    another, or by the service.
    """
    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    if not settings.has_shared_stores:
        raise click.ClickException(
            "TAPEDECK_DATABASE_URL must be postgresql://… and TAPEDECK_BLOB_URL s3://…, gs://… or az://…, as for the "
            "service: only there do several machines reach the log and the recordings."
        )
    from service.runtime.logs import log_to_stderr  # noqa: PLC0415 - what working needs is slow to import
    from service.runtime.server import StartRefused  # noqa: PLC0415
    from service.runtime.working import work as do_work  # noqa: PLC0415

    log_to_stderr(settings.log_level)
    try:
        with needing_a_log(), asyncio.Runner(loop_factory=fast_loop()) as runner:
            runner.run(do_work(settings))
    except StartRefused as error:
        raise click.ClickException(str(error)) from None

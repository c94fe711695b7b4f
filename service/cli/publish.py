"""`tapedeck publish`: only the publisher, for a service that does not publish itself, or as one more on standby."""

import asyncio

import click

from service.cli.own_log import needing_a_log
from service.runtime.settings import BadSettings, load_settings


@click.command()
@click.option(
    "--operations-port",
    type=click.IntRange(1, 65_535),
    help="Answer /healthz, /readyz and /metrics on this port, at TAPEDECK_OPERATIONS_HOST or else 127.0.0.1.",
)
def publish(operations_port: int | None) -> None:
    """Publish the log in the data directory to Kafka until Ctrl-C or SIGTERM.

    In a separate process, publishing can be stopped, moved and started without touching the one that serves requests.
    Any number of publishers may run on one log: one works, the others stand by and take over when it stops.
    """
    try:
        settings = load_settings(**({} if operations_port is None else {"operations_port": operations_port}))
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    if settings.kafka is None:
        raise click.ClickException("TAPEDECK_KAFKA_BOOTSTRAP_SERVERS is not set: where is Kafka?")
    from service.runtime.logs import log_to_stderr  # noqa: PLC0415 - what publishing needs is slow to import
    from service.runtime.publisher_process import publish_until_stopped  # noqa: PLC0415
    from service.runtime.server import StartRefused  # noqa: PLC0415

    log_to_stderr(settings.log_level)
    try:
        with needing_a_log():
            asyncio.run(publish_until_stopped(settings, answers_operators=operations_port is not None))
    except StartRefused as error:
        raise click.ClickException(str(error)) from None

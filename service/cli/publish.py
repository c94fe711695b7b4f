"""`tapedeck publish`: only the publisher, for a service that does not publish itself, or as one more on standby."""

import asyncio
import signal
from random import Random

import click

from service.cli.own_log import needing_a_log
from service.runtime.settings import BadSettings, Settings, load_settings


@click.command()
def publish() -> None:
    """Publish the log in the data directory to Kafka until Ctrl-C or SIGTERM.

    In a separate process, publishing can be stopped, moved and started without touching the one that serves requests.
    Any number of publishers may run on one log: one works, the others stand by and take over when it stops.
    """
    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    if settings.kafka is None:
        raise click.ClickException("TAPEDECK_KAFKA_BOOTSTRAP_SERVERS is not set: where is Kafka?")
    from service.runtime.logs import log_to_stderr  # noqa: PLC0415 - what publishing needs is slow to import

    log_to_stderr(settings.log_level)
    with needing_a_log():
        asyncio.run(_publish(settings))


async def _publish(settings: Settings) -> None:
    from adapters.event_log.log import EventLog  # noqa: PLC0415
    from adapters.event_log.opening import open_log  # noqa: PLC0415
    from adapters.positions import PositionStore  # noqa: PLC0415
    from service.application.metrics import Metrics  # noqa: PLC0415
    from service.followers.supervision import Supervision  # noqa: PLC0415
    from service.runtime.collector import settle_collector  # noqa: PLC0415
    from service.runtime.places import positions_place  # noqa: PLC0415
    from service.runtime.publishing import open_publisher  # noqa: PLC0415

    log = EventLog(open_log(settings.log_url, must_exist=True).recorder)
    positions = PositionStore(positions_place(settings))
    random = Random()  # noqa: S311 - for jitter
    publisher = open_publisher(settings, log, positions=positions, random=random, metrics=Metrics())
    settle_collector()
    publishing = asyncio.create_task(Supervision(log, random).keep_running(publisher.name, publisher.run))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, publishing.cancel)
    await asyncio.wait([publishing])
    positions.close()
    await log.close()

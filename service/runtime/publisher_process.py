"""A process that only publishes to Kafka, beside the service or on another machine."""

import asyncio
import signal
from contextlib import AsyncExitStack
from random import Random

from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log, require_log
from adapters.positions import PositionStore
from service.application.metrics import Metrics
from service.dialects.http.limits import Limits
from service.followers.publisher import Publisher
from service.followers.supervision import Supervision
from service.runtime.collector import settle_collector
from service.runtime.draining import Drain
from service.runtime.listening import listen_at_operations_port
from service.runtime.operations import ProcessOperations
from service.runtime.places import positions_place
from service.runtime.presence import join_service
from service.runtime.publishing import open_publisher
from service.runtime.readiness import PublisherParts, Readiness
from service.runtime.server import named_start_failures
from service.runtime.settings import Settings
from service.runtime.web import application_for_operators, runner_within


async def publish_until_stopped(settings: Settings, *, answers_operators: bool) -> None:
    """Return after SIGINT or SIGTERM. `answers_operators`: at `settings.operations_port`.

    Raises: StartRefused; ValueError if the settings name no Kafka; NoEventLog, LogUnavailable; DatabaseUnavailable.
    """
    metrics, random = Metrics(), Random()  # noqa: S311 - for jitter
    async with AsyncExitStack() as running:
        require_log(settings.log_url)
        with named_start_failures("publisher"):
            await join_service(running, settings)
        log = EventLog(open_log(settings.log_url).recorder)
        running.push_async_callback(log.close)
        positions = PositionStore(positions_place(settings))
        running.callback(positions.close)
        publisher = open_publisher(settings, log, positions=positions, random=random, metrics=metrics)
        if answers_operators:
            await _answer_operators(settings, metrics, log, publisher, running)
        settle_collector()
        publishing = asyncio.create_task(Supervision(log, random).keep_running(publisher.name, publisher.run))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, publishing.cancel)
        await asyncio.wait([publishing])


async def _answer_operators(
    settings: Settings, metrics: Metrics, log: EventLog, publisher: Publisher, running: AsyncExitStack
) -> None:
    """Until `running` ends. Raises: StartRefused."""
    drain = Drain()
    operations = ProcessOperations(metrics, Readiness(PublisherParts(drain, log, publisher)), log)
    app = application_for_operators(metrics, operations, drain=drain)
    with named_start_failures("publisher"):
        server = runner_within(Limits.from_settings(settings), app)
        await listen_at_operations_port(server, drain, settings, running)

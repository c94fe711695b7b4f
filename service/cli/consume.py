"""`tapedeck consume`: follow the topic as a downstream consumer would, checking every message against its contract."""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn

import click

from service.cli import wording
from service.cli.connection import INTERRUPTED, fail
from service.cli.events import facts
from service.cli.message_types import full_types, short_type
from service.runtime.settings import BadSettings, Settings, as_set, load_settings

if TYPE_CHECKING:
    from service.messages.forms import PublicForm

POLL_MS = 500


@click.command()
@click.option("--group", help="Consumer group: continues where it stopped, and shares the topic with its members.")
@click.option("--from-beginning", is_flag=True, help="Begin with the first event; a group with a position keeps it.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type, such as stitched; repeatable.")
@click.option("--until-end", is_flag=True, help="Stop at the end that the topic has when the command starts.")
def consume(group: str | None, from_beginning: bool, types: tuple[str, ...], until_end: bool) -> None:
    """Follow the topic named in the settings and print one line per event, until Ctrl-C.

    Every message is checked against its published form; messages that violate it are reported on stderr, and the exit
    code is then 1. With --group, Kafka keeps the position.
    """
    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    if settings.kafka is None:
        raise click.ClickException("TAPEDECK_KAFKA_BOOTSTRAP_SERVERS is not set: where is Kafka?")
    wanted = full_types(types)
    try:
        broken = asyncio.run(_consume(settings, group, from_beginning, wanted, until_end))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(1 if broken else 0)


async def _consume(
    settings: Settings, group: str | None, from_beginning: bool, wanted: frozenset[str], until_end: bool
) -> int:
    """Return how many messages violated the contract."""
    broken = 0
    async with _consumer(settings, group, from_beginning=from_beginning) as consumer:
        ends: dict[Any, int] = {}
        while not (until_end and await _is_at_end(settings, consumer, ends)):
            batches = await consumer.getmany(timeout_ms=POLL_MS)
            broken += sum(_tell(record, wanted) for records in batches.values() for record in records)
            if group is not None and batches:
                await _commit(consumer)
    return broken


async def _commit(consumer: Any) -> None:
    """Commit after printing, so that a member that takes over a partition may print some again, but misses none."""
    from aiokafka.errors import CommitFailedError, RebalanceInProgressError  # noqa: PLC0415

    with suppress(CommitFailedError, RebalanceInProgressError):  # another member has some partition by now
        await consumer.commit()


@asynccontextmanager
async def _consumer(settings: Settings, group: str | None, *, from_beginning: bool) -> AsyncIterator[Any]:
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415
    from aiokafka.errors import KafkaConnectionError, KafkaError  # noqa: PLC0415

    from adapters.kafka.calling import close, start  # noqa: PLC0415
    from adapters.kafka.diagnosis import why_unreachable  # noqa: PLC0415

    assert settings.kafka is not None  # noqa: S101 - checked by the command
    topic = settings.kafka_topic
    consumer = AIOKafkaConsumer(
        **settings.kafka.options(),
        group_id=group,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest" if from_beginning else "latest",
    )
    try:
        await start(consumer)
        if topic not in await consumer.topics():
            _cannot(settings, f"there is no topic {topic} yet")
        consumer.subscribe([topic])
        yield consumer
    except KafkaConnectionError:
        fail(as_set(await why_unreachable(settings.kafka)))
    except (KafkaError, OSError) as error:
        _cannot(settings, str(error))
    finally:
        with suppress(KafkaError):
            await close(consumer.stop())


def _cannot(settings: Settings, because: str) -> NoReturn:
    fail(f"Kafka at {settings.kafka_bootstrap_servers} cannot be followed: {because}.")


async def _is_at_end(settings: Settings, consumer: Any, ends: dict[Any, int]) -> bool:
    """Whether everything that was there when the partitions were assigned, when `ends` is filled in, has been read."""
    if consumer.assignment() and not ends:
        ends.update(await _ends(settings, consumer.assignment()))
    return bool(ends) and all([await consumer.position(partition) >= end for partition, end in ends.items()])


async def _ends(settings: Settings, partitions: Collection[Any]) -> dict[Any, int]:
    """A commit is answered before each partition shows it; so the ends are read without regard to transactions."""
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415

    from adapters.kafka.calling import close, start  # noqa: PLC0415

    assert settings.kafka is not None  # noqa: S101 - checked by the command
    consumer = AIOKafkaConsumer(**settings.kafka.options(), isolation_level="read_uncommitted")
    try:
        await start(consumer)
        ends: dict[Any, int] = await consumer.end_offsets(list(partitions))
    finally:
        await close(consumer.stop())
    return ends


def _tell(record: Any, wanted: frozenset[str]) -> bool:
    """Print one message; True when it violates the contract."""
    from service.messages.reading import NotOurMessage, UnknownType, read_form  # noqa: PLC0415

    try:
        form = read_form(record.key, record.value, record.headers)
    except UnknownType as unknown:
        click.echo(f"Skipped {_where(record)}: {unknown}.", err=True)
        return False
    except NotOurMessage as problem:
        click.echo(f"Broken {_where(record)}: {problem}.", err=True)
        return True
    if not wanted or form.TYPE in wanted:
        data = form.model_dump(mode="json", exclude={form.SUBJECT, "version", "at", "client_ids"})
        subject = f"{form.subject_id}/{form.version:<4} {short_type(form.TYPE):<18}"
        click.echo("  ".join(filter(None, (wording.local_time(form.at), subject, _named(form), facts(data)))).rstrip())
    return False


def _named(form: "PublicForm") -> str:
    """Write the ids that clients know it by: `recording_id rec_0b7a…  transcription_id txn_0b7a…`."""
    return "  ".join(f"{name} {client_id}" for name, client_id in form.client_ids.items())


def _where(record: Any) -> str:
    return f"message {record.offset} of partition {record.partition}"

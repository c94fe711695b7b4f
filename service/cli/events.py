"""`tapedeck events`: a recording's history, or all that happens, as it happens."""

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from datetime import datetime

import click
import orjson
from pydantic import AwareDatetime, BaseModel, ValidationError

from service.cli import wording
from service.cli.connection import Connection, connected, run
from service.cli.message_types import full_types, short_type
from service.cli.naming import service_id
from service.cli.show import READ_PATIENCE_SECONDS, printable
from service.client import HistoryEntry, UnexpectedAnswer
from service.client.live import all_events

# The same in every event of a recording, or already in its id: --json shows them.
_LEFT_OUT = frozenset({"tenant_id", "external_id", "finalize_policy", "end_user_id", "device_id", "md5", "expires_at"})
# Said at the beginning of the line, or only for programs.
_OF_THE_MESSAGE = frozenset({"recording_id", "session_id", "note_order_id", "version", "at", "client_ids"})
_DELETED = "tapedeck.recording.deleted.v1"


@click.command()
@click.argument("recording_id", metavar="[ID]", required=False)
@click.option("--follow", is_flag=True, help="Go on with what happens; without an ID, to any recording of the project.")
@click.option("--from-beginning", is_flag=True, help="With --follow and no ID: begin with the first event, not now.")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="With --follow: only this type, such as stitched; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@connected(patience_seconds=READ_PATIENCE_SECONDS)
def events(
    connection: Connection,
    *,
    recording_id: str | None,
    follow: bool,
    from_beginning: bool,
    types: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print a recording's history, oldest first: when, what happened, and its facts. ID: as for show.

    With --follow, print what happens as it happens, until Ctrl-C: to one recording, from its history on, or to all of
    the project. The service may be restarted meanwhile: nothing is missed or comes twice.
    """
    if follow:
        run(_follow(connection, recording_id, full_types(types) if types else (), from_beginning, as_json))
        return
    if recording_id is None:
        raise click.UsageError("Give the ID of a recording, or --follow for all of them.")
    if types or from_beginning:
        raise click.UsageError("--type and --from-beginning go with --follow.")
    run(_events(connection, recording_id, as_json))


def history_lines(entries: Iterable[HistoryEntry]) -> list[str]:
    """Write one line per event, aligned: local time, type, facts."""
    listed = list(entries)
    width = max((len(entry.type) for entry in listed), default=0)
    return [f"{wording.local_time(entry.at)}  {entry.type:<{width}}  {facts(entry.data)}".rstrip() for entry in listed]


async def _events(connection: Connection, recording_id: str, as_json: bool) -> None:
    async with connection.client() as client:
        recording_id = await service_id(client, recording_id)
        if as_json:
            pages = [page.get("data") async for page in client.history_pages(recording_id)]
            entries = [entry for page in pages if isinstance(page, list) for entry in page]
            lines = [orjson.dumps(entry).decode() for entry in entries]
        else:
            lines = history_lines(await client.events(recording_id))
    for line in lines:
        click.echo(line)


async def _follow(
    connection: Connection, recording_id: str | None, types: Iterable[str], from_beginning: bool, as_json: bool
) -> None:
    """Until the recording is deleted, or without end."""
    async with connection.client() as client:
        query = {"since": "beginning" if from_beginning or recording_id is not None else "now"}
        if recording_id is not None:
            query["recording_id"] = await service_id(client, recording_id)
        if types:
            query["types"] = ",".join(sorted(types))
        async with aclosing(all_events(client, query)) as told:
            async for message in told:
                click.echo(orjson.dumps(message.data) if as_json else _message_line(message.data))
                if recording_id is not None and message.data.get("type") == _DELETED:
                    return


class _Message(BaseModel):
    type: str
    subject: str
    time: AwareDatetime
    data: dict[str, object]


def _message_line(told: Mapping[str, object]) -> str:
    """Local time, what it happened to, what happened, and its facts. Raises: UnexpectedAnswer."""
    try:
        message = _Message.model_validate(told)
    except ValidationError as error:
        raise UnexpectedAnswer("The service tells of its events in another way than this command reads.") from error
    data = message.data
    about = f"rec_{data['recording_id']}".replace("-", "") if "recording_id" in data else message.subject
    own = {name: value for name, value in data.items() if name not in _OF_THE_MESSAGE and not name.endswith("_key")}
    what = f"{short_type(message.type):<18}  {facts(own)}".rstrip()
    return printable(f"{wording.local_time(message.time)}  {about}  {what}")


def facts(data: dict[str, object]) -> str:
    """Write an event's facts in one line, without those that all events of its recording share."""
    return "  ".join(
        _fact(name, value) for name, value in data.items() if value not in (None, []) and name not in _LEFT_OUT
    )


def _fact(name: str, value: object) -> str:
    """Write one fact in the unit that its name gives."""
    if isinstance(value, bool) or not isinstance(value, int):
        return _said(name, value)
    if name == "number":
        return f"#{value:<3}"
    if name == "size_bytes":
        return f"{wording.size(value):>9}"
    for suffix, written in (("_bytes", wording.size), ("_ms", wording.duration)):
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')} {written(value)}"
    return f"{name.replace('_', ' ')} {value}"


def _said(name: str, value: object) -> str:
    label = name.replace("_", " ")
    if isinstance(value, str) and name.endswith("_at"):
        return f"{label.removesuffix(' at')} {wording.local_time(datetime.fromisoformat(value))}"
    if isinstance(value, float):
        return f"{label} {value:.2f}"
    if isinstance(value, str) and name.rpartition("_")[2] in ("sha256", "md5"):
        return f"{label} {wording.digest(value)}"
    if isinstance(value, str):
        return f"{label} {value}"
    return f"{label} {orjson.dumps(value).decode()}"

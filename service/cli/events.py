"""`tapedeck events`: a recording's history."""

from collections.abc import Iterable
from datetime import datetime

import click
import orjson

from service.cli import wording
from service.cli.connection import Connection, connected, run
from service.cli.naming import service_id
from service.cli.show import READ_PATIENCE_SECONDS
from service.client import HistoryEntry

# The same in every event of a recording, or already in its id: --json shows them.
_LEFT_OUT = frozenset({"tenant_id", "external_id", "finalize_policy", "end_user_id", "device_id", "md5", "expires_at"})


@click.command()
@click.argument("recording_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@connected(patience_seconds=READ_PATIENCE_SECONDS)
def events(connection: Connection, recording_id: str, as_json: bool) -> None:
    """Print a recording's history, oldest first: when, what happened, and its facts. ID: as for show."""
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

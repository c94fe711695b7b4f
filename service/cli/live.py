"""`tapedeck live`: what is said in a recording, while it is made and recognized."""

import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

import click
import orjson
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn

from service.cli import wording
from service.cli.connection import Connection, connected, run
from service.cli.naming import service_id
from service.cli.show import printable, progress_words
from service.client import ClientFailure, RecognitionProgress, RecordingsClient, UnexpectedAnswer
from service.client.event_stream import ToldEvent
from service.client.live import live_events

PATIENCE_SECONDS = 120


@click.command()
@click.argument("recording_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@connected(patience_seconds=PATIENCE_SECONDS)
def live(connection: Connection, recording_id: str, as_json: bool) -> None:
    """Print what is said in a recording as soon as it is recognized, until its transcript is complete.

    What is said goes to stdout, one line per sentence; how far it has come goes to stderr, in a terminal with what is
    being said and not settled yet. The service may be restarted meanwhile. ID: as for show.
    """
    run(_live(connection, recording_id, as_json))


async def follow(client: RecordingsClient, recording_id: str, *, quiet: bool = False) -> None:
    """Print what is said in the recording until the end. Raises: ClientFailure, also if it fails or is deleted."""
    with _shown(quiet=quiet) as shown:
        async with aclosing(live_events(client, recording_id)) as events:
            async for event in events:
                shown.tell(event)


async def _live(connection: Connection, recording_id: str, as_json: bool) -> None:
    async with connection.client() as client:
        recording_id = await service_id(client, recording_id)
        if not as_json:
            await follow(client, recording_id)
            return
        async with aclosing(live_events(client, recording_id)) as events:
            async for event in events:
                click.echo(orjson.dumps({"event": event.event, "data": event.data}))


@contextmanager
def _shown(*, quiet: bool) -> Iterator["_Shown"]:
    if quiet or not sys.stderr.isatty():
        yield _Shown(None, quiet=quiet)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        yield _Shown(display, quiet=False)


class _Shown:
    """Prints events. `display`: of a terminal; without one, how far it has come is said in lines of its own."""

    def __init__(self, display: Progress | None, *, quiet: bool) -> None:
        self._display = display
        self._task: TaskID | None = None if display is None else display.add_task("listening", total=None)
        self._quiet = quiet
        self._said = self._interim = self._described = ""

    def tell(self, event: ToldEvent) -> None:
        """Raises: ClientFailure for an end that is none; UnexpectedAnswer."""
        data = event.data
        match event.event:
            case "segment":
                self._print(_line(data), err=False)
            case "interim":
                self._interim = printable(str(data.get("text") or ""))
                self._describe(self._described)
            case "withdrawn":
                self._say(
                    f"What was said from line {_number(data, 'from_index') + 1} on is withdrawn; it follows anew."
                )
            case "progress":
                self._progress(data)
            case "transcript":
                self._say(f"transcribed: {_number(data, 'word_count')} words")
            case "failed":
                failure = data.get("failure")
                message = failure.get("message") if isinstance(failure, dict) else None
                raise ClientFailure(
                    f"The recording failed: {printable(str(message or 'no reason is given')).rstrip('.')}."
                )
            case "deleted":
                raise ClientFailure("The recording was deleted.")

    def _progress(self, data: dict[str, object]) -> None:
        try:
            progress = RecognitionProgress.model_validate(data)
        except ValidationError as error:
            raise UnexpectedAnswer(
                "The service tells of its progress in another way than this command reads."
            ) from error
        stored = f"{_number(data, 'chunks_stored')} chunks, {wording.size(_number(data, 'bytes_stored'))}"
        words = progress_words(progress) if progress.audio_ms is not None or progress.recognized_ms else ""
        line = f"{printable(str(data.get('status')))}: {stored}{f'; {words}' if words else ''}"
        if self._display is not None:
            self._describe(line)
        else:
            self._say(line)

    def _describe(self, line: str) -> None:
        """In the display's own line: how far it has come, and what is being said."""
        self._described = line
        if self._display is not None and self._task is not None:
            said = f"{line} … {self._interim}" if self._interim else line
            self._display.update(self._task, description=escape(said))

    def _say(self, line: str) -> None:
        if not self._quiet and line != self._said:
            self._said = line
            self._print(line, err=True)

    def _print(self, line: str, *, err: bool) -> None:
        """Above the display, if there is one: it is taken away while the line is written."""
        if self._display is not None:
            self._display.stop()
        click.echo(line, err=err)
        if self._display is not None:
            self._display.start()


def _line(segment: dict[str, object]) -> str:
    start = segment.get("start")
    if not isinstance(start, int | float):
        raise UnexpectedAnswer("The service tells what is said in another way than this command reads.")
    minutes, seconds = divmod(int(start), 60)
    speaker = segment.get("speaker")
    said = f"{speaker}: {segment.get('text')}" if speaker else str(segment.get("text"))
    return f"{minutes}:{seconds:02}  {printable(said)}"


def _number(data: dict[str, object], name: str) -> int:
    found = data.get(name)
    if not isinstance(found, int):
        raise UnexpectedAnswer(f"The service told no usable {name}.")
    return found

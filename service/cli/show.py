"""`tapedeck show` and `tapedeck transcript`."""

import asyncio
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.events import Stage
from service.cli import wording
from service.cli.connection import Connection, connected, run
from service.cli.naming import service_id
from service.client import ClientFailure, RecognitionProgress, Recording, RecordingsClient

READ_PATIENCE_SECONDS = 10
FORMATS = ("txt", "srt", "vtt", "json")


@click.command()
@click.argument("recording_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is.")
@connected(patience_seconds=READ_PATIENCE_SECONDS)
def show(connection: Connection, recording_id: str, as_json: bool) -> None:
    """Show a recording's status, audio and transcription.

    ID: as the service gave it (rec_…), or CORRELATION_ID/RECORDING_ID for a Dragon client's recording.
    """
    run(_show(connection, recording_id, as_json))


@click.command()
@click.argument("recording_id", metavar="ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Text in paragraphs, SubRip or WebVTT subtitles, or everything as JSON. Unless given: by FILE's suffix, or "
    "only the words.",
)
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it, instead of stdout; replaces an existing file.",
)
@connected(patience_seconds=READ_PATIENCE_SECONDS)
def transcript(connection: Connection, recording_id: str, form: str | None, file: Path | None) -> None:
    """Print a recording's transcript, or write it to a file. ID: as for show."""
    if file is not None and form is None:
        ending = file.suffix.removeprefix(".").lower()
        form = ending if ending in FORMATS else "txt"
    run(
        _transcript(connection, recording_id)
        if form is None
        else _transcript_file(connection, recording_id, form, file)
    )


async def print_transcript(client: RecordingsClient, recording: Recording) -> str:
    """Print the transcript of a completed recording to stdout, and return it.

    Raises: ClientFailure when there is none (yet).
    """
    text = (await client.transcription(_transcription_of(recording))).text or ""
    click.echo(text)
    if not text.strip():
        click.echo("(no speech was found in it)", err=True)
    return text


def failure_sentence(recording: Recording) -> str:
    """Say in one sentence why a recording failed."""
    failure = recording.failure
    if failure is None:
        return f"{recording.id} failed ({recording.status})."
    doing = _doing(failure.stage) if failure.stage else None
    why = failure.message or failure.reason or recording.status
    return f"{recording.id} failed{f' while {doing}' if doing else ''}: {why.rstrip('.')}."


def progress_words(progress: RecognitionProgress) -> str:
    """Say how much of the audio is recognized, and when the transcript will be ready, as far as the service knows."""
    words = []
    if progress.recognized_ms is not None:
        heard = wording.duration(progress.recognized_ms) if progress.recognized_ms else "nothing"
        of = "" if progress.audio_ms is None else f" of {wording.duration(progress.audio_ms)}"
        words.append(f"{heard}{of} recognized")
    if progress.ready_at is not None:
        words.append(f"ready about {wording.local_time(progress.ready_at)[11:19]}")
    return ", ".join(words)


def _doing(stage: str) -> str:
    """What was being done in a stage; a newer service may have stages that this program has no word for."""
    try:
        return Stage(stage).doing
    except ValueError:
        return stage


def _transcription_of(recording: Recording) -> str:
    """The id of the completed transcription. Raises: ClientFailure when there is none (yet)."""
    if recording.has_failed:
        raise ClientFailure(failure_sentence(recording))
    if recording.transcription_id is None or not recording.is_settled:
        raise ClientFailure(f"{recording.id} has no transcript yet: its status is {recording.status}.")
    return recording.transcription_id


async def _show(connection: Connection, recording_id: str, as_json: bool) -> None:
    async with connection.client() as client:
        recording_id = await service_id(client, recording_id)
        if as_json:
            document = await client.document("GET", f"/v1/recordings/{recording_id}")
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        else:
            recording = await client.recording(recording_id)
            Console(soft_wrap=True).print(_table(recording))


async def _transcript(connection: Connection, recording_id: str) -> None:
    async with connection.client() as client:
        await print_transcript(client, await client.recording(await service_id(client, recording_id)))


async def _transcript_file(connection: Connection, recording_id: str, form: str, file: Path | None) -> None:
    async with connection.client() as client:
        recording = await client.recording(await service_id(client, recording_id))
        content = await client.transcript_file(_transcription_of(recording), form)
    if file is None:
        ends_its_line = content.endswith(b"\n") or form != "json"
        click.echo(content, nl=not ends_its_line)
    else:
        await asyncio.to_thread(_replace, file, content)
        click.echo(f"{file}: {wording.size(len(content))}", err=True)


def _replace(file: Path, content: bytes) -> None:
    """Write the file so that it has either its old content or all of the new, even when the disk is full."""
    if file.exists() and not file.is_file():  # a pipe, or /dev/null
        file.write_bytes(content)
        return
    file = file.resolve()
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_bytes(content)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _table(recording: Recording) -> Table:
    rows = {
        "recording": recording.id,
        "external id": recording.external_id,
        "name": recording.name,
        "status": recording.status,
        "failure": failure_sentence(recording) if recording.has_failed else None,
        "damage": " ".join(found.message for found in recording.damage),
        "suspect": _suspects(recording),
        "started": recording.started_at and wording.local_time(recording.started_at),
        "duration": recording.duration_ms and wording.duration(recording.duration_ms),
        "audio": _audio(recording),
        "sha256": recording.content_sha256,
        "transcription": recording.transcription_status,
        "progress": recording.progress and progress_words(recording.progress),
        "transcript": recording.transcription_id,
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(printable(str(value))))
    return table


def _suspects(recording: Recording) -> str:
    return ", ".join(f"chunk {suspect.number} looks like {suspect.looks_like}" for suspect in recording.suspect_chunks)


def printable(text: str) -> str:
    """The text without what would control the terminal: a recording's name is whatever its client sent."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _audio(recording: Recording) -> str | None:
    if recording.file_size_bytes is None:
        return recording.mime_type
    return f"{recording.mime_type or 'audio'}, {wording.size(recording.file_size_bytes)}"

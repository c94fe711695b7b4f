"""`tapedeck download`."""

import mimetypes
from pathlib import Path

import click

from service.cli import wording
from service.cli.connection import Connection, connected, run
from service.cli.naming import service_id
from service.cli.progress import download_progress
from service.client import Recording
from service.client.download import download as fetch
from service.client.download import download_chunks as fetch_chunks

_SUFFIXES = {
    "audio/ogg": ".ogg",
    "audio/opus": ".opus",
    "audio/wav": ".wav",
    "audio/flac": ".flac",
    "audio/mpeg": ".mp3",
    "audio/aac": ".aac",
    "audio/mp4": ".m4a",
    "audio/webm": ".webm",
}


@click.command()
@click.argument("recording_id", metavar="ID")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it; replaces an existing file. Unless given: ID and the suffix of its format.",
)
@click.option(
    "--chunks",
    is_flag=True,
    help="Download the stored chunks instead, one after another as they came: also of a recording that failed.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@connected(patience_seconds=120)
def download(connection: Connection, recording_id: str, output: Path | None, chunks: bool, quiet: bool) -> None:
    """Download the audio of a recording and verify its SHA-256.

    The file appears only when it is complete; run the same command again to continue after an interruption.
    """
    if chunks:
        run(_download_chunks(connection, recording_id, output, quiet))
    else:
        run(_download(connection, recording_id, output, quiet), advice=lambda: _ADVICE)


_ADVICE = "Run the same command again to continue from here."


async def _download(connection: Connection, recording_id: str, output: Path | None, quiet: bool) -> None:
    async with connection.client() as client:
        recording = await client.recording(await service_id(client, recording_id))
        target = output or Path(recording.id + suffix_of(recording))
        with download_progress(quiet=quiet) as on_bytes:
            await fetch(client, recording, target, on_bytes)
    if not quiet:
        arrived = wording.size(target.stat().st_size)
        click.echo(f"{target}: {arrived}, sha256 {recording.content_sha256}", err=True)


async def _download_chunks(connection: Connection, recording_id: str, output: Path | None, quiet: bool) -> None:
    async with connection.client() as client:
        recording_id = await service_id(client, recording_id)
        target = output or Path(f"{recording_id}.chunks")
        with download_progress(quiet=quiet) as on_bytes:
            await fetch_chunks(client, recording_id, target, on_bytes)
    if not quiet:
        click.echo(f"{target}: {wording.size(target.stat().st_size)}", err=True)


def suffix_of(recording: Recording) -> str:
    """Return the usual suffix for a recording's audio format."""
    mime_type = (recording.mime_type or "").partition(";")[0].strip()
    return _SUFFIXES.get(mime_type) or mimetypes.guess_extension(mime_type) or ".audio"

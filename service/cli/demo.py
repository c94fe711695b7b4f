"""`tapedeck demo`: a recording from upload to transcript, with a temporary service that leaves nothing behind."""

import asyncio
import signal
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from service import sample
from service.cli.connection import find, run
from service.cli.events import history_lines
from service.cli.own_service import OwnService, running_service
from service.cli.upload import Order, UploadJob
from service.client import ClientFailure
from service.client.attempts import Attempts
from service.sample.word_error_rate import word_error_rate

# 32 KiB: the sample then goes out in five chunks, enough to see them arrive.
CHUNK_BYTES = 32 * 1024
MOST_WORDS_WRONG = 0.15
TERMINATED = 128 + signal.SIGTERM


@click.command()
def demo() -> None:
    """Start a temporary service, upload the speech sample in chunks, and show its transcript and history.

    Everything is kept in a temporary directory, which is removed at the end.
    """
    try:
        run(_until_told_to_end())
    except asyncio.CancelledError:
        sys.exit(TERMINATED)


async def _until_told_to_end() -> None:
    """Show the demo; SIGTERM leaves it through every `finally`, so that the service does not outlive it.

    This uses the loop's own handler: an exception from a Python signal handler is lost if it comes during a `__del__`.
    """
    showing = asyncio.current_task()
    assert showing is not None  # noqa: S101 - a coroutine that runs is in a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, showing.cancel)
    await _demo()


async def _demo() -> None:
    out = Console(highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="tapedeck-demo-", ignore_cleanup_errors=True) as folder:
        out.print("[bold]Starting a service[/bold] in a temporary directory …")
        async with running_service(Path(folder)) as service:
            out.print(f"It is ready at {service.url}.\n")
            await _show_the_way(out, service)
            out.print("\nStopping the service …")
    out.print("[bold green]Done.[/bold green]")
    out.print(_WHERE_TO_GO_NEXT, markup=False)


async def _show_the_way(out: Console, service: OwnService) -> None:
    connection = find(service.url, None, Attempts(), data_dir=service.data_dir)
    with sample.audio_file() as path:
        out.print(f"[bold]Uploading[/bold] {path.name}, a consultation in two voices, in chunks …")
        job = UploadJob(connection, Order(path, connection.end_user_id, chunk_bytes=CHUNK_BYTES))
        recording_id = await job.upload()
    out.print("\n[bold]Waiting[/bold] for the transcript …")
    heard = await job.wait(recording_id)
    rate = word_error_rate(sample.spoken_text(), heard)
    out.print(f"\n[bold]Word error rate[/bold] against the words spoken: {rate:.1%}\n")
    out.print("[bold]History[/bold] of the recording:")
    async with connection.client() as client:
        for line in history_lines(await client.events(recording_id)):
            out.print(line, markup=False)
    if rate > MOST_WORDS_WRONG:
        raise ClientFailure(f"The word error rate is above {MOST_WORDS_WRONG:.0%}.")


_WHERE_TO_GO_NEXT = """
Next:
  make run                              a permanent service: http://127.0.0.1:8080, data in .data
  .venv/bin/tapedeck upload FILE        your own recording: Opus, Ogg, WAV, FLAC, MP3, AAC, M4A, WebM
  .venv/bin/tapedeck show | events ID   its state, and its history
service/dialects/bota/README.md has the same steps in curl."""

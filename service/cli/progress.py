"""Progress, always on stderr: bars on a terminal, plain lines elsewhere, so that stdout has only the result."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

from domain.events import Stage
from service.application.retry import RetryPolicy
from service.cli import wording
from service.cli.show import print_transcript, progress_words
from service.client import RecognitionProgress, Recording, RecordingsClient
from service.client.slices import CutFile, Slice
from service.client.upload import settled

# No bound: a long recording is transcribed in minutes, and Ctrl-C ends the wait without harm.
WAITING = RetryPolicy(
    first=timedelta(milliseconds=100), factor=1.5, longest=timedelta(seconds=2), patience=None, jitter=0.1
)
_PLAIN_STEP = 0.25


def say(line: str, *, quiet: bool = False) -> None:
    """Write a line of progress, unless `quiet`."""
    if not quiet:
        click.echo(line, err=True)


@contextmanager
def upload_progress(file: CutFile, already: int, *, quiet: bool) -> Iterator[Callable[[Slice], None]]:
    """Show an upload with `already` bytes stored; yields a function to call for each stored slice."""
    if quiet:
        yield lambda _piece: None
    elif not sys.stderr.isatty():
        yield lambda piece: say(f"chunk {piece.number} of {len(file.slices)} stored, {wording.size(piece.size_bytes)}")
    else:
        with _bar() as bar:
            task = bar.add_task("uploading", total=file.size_bytes, completed=already)
            yield lambda piece: bar.advance(task, piece.size_bytes)


@contextmanager
def download_progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a download; yields a function to call with how many bytes have arrived, and of how many."""
    if quiet:
        yield lambda _arrived, _total: None
    elif not sys.stderr.isatty():
        yield _Quarters().tell
    else:
        with _bar() as bar:
            task = bar.add_task("downloading", total=None)
            yield lambda arrived, total: bar.update(task, completed=arrived, total=total)


async def wait_and_print(client: RecordingsClient, recording_id: str, *, quiet: bool = False) -> str:
    """Wait until a recording is settled, showing its stage; print its transcript to stdout and return it.

    Raises: ClientFailure.
    """
    with _stages(quiet=quiet) as on_news:
        recording = await settled(client, recording_id, WAITING, on_news)
    return await print_transcript(client, recording)


@contextmanager
def _stages(*, quiet: bool) -> Iterator[Callable[[Recording], None]]:
    if quiet:
        yield lambda _recording: None
    elif not sys.stderr.isatty():
        yield _Stages().tell
    else:
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=_stderr(), transient=True) as spinner:
            task = spinner.add_task("finalized", total=None)
            yield lambda recording: spinner.update(task, description=_stage_and_progress(recording))


def _stage(recording: Recording) -> str:
    if recording.is_settled:
        return recording.status
    if recording.transcription_status == "completed":
        return recording.status
    return (Stage.STITCH if recording.content_sha256 is None else Stage.TRANSCRIBE).doing


def _stage_and_progress(recording: Recording) -> str:
    how_far = progress_words(recording.progress) if recording.progress is not None else ""
    return f"{_stage(recording)}: {how_far}" if how_far else _stage(recording)


class _Stages:
    """Prints each stage once, and again for each quarter of it that is done."""

    def __init__(self) -> None:
        self._said: tuple[str, float] = ("", 0.0)

    def tell(self, recording: Recording) -> None:
        reached = _stage(recording), _quarter(recording.progress)
        if reached != self._said:
            self._said = reached
            say(_stage_and_progress(recording))


def _quarter(progress: RecognitionProgress | None) -> float:
    if progress is None or not progress.audio_ms or progress.recognized_ms is None:
        return 0.0
    return progress.recognized_ms / progress.audio_ms // _PLAIN_STEP


class _Quarters:
    """Prints a line for each quarter of a download."""

    def __init__(self) -> None:
        self._next = 0.0

    def tell(self, arrived: int, total: int) -> None:
        if total and arrived / total >= self._next:
            say(f"{wording.size(arrived)} of {wording.size(total)}")
            self._next = (arrived / total // _PLAIN_STEP + 1) * _PLAIN_STEP


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(),
        console=_stderr(),
    )  # fmt: skip


def _stderr() -> Console:
    return Console(stderr=True)

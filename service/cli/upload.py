"""`tapedeck upload`: sends a file in chunks, over any network, and prints its transcript."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from service.cli import audio_file
from service.cli.connection import Connection, connected, run
from service.cli.live import follow
from service.cli.progress import say, upload_progress, wait_and_print
from service.client import CannotResume, RecordingsClient
from service.client.slices import DEFAULT_CHUNK_BYTES, CutFile, cut, cut_like, missing_from
from service.client.upload import Upload

# Assumed until the service says its own: creating a recording needs only an estimate.
USUAL_MAX_CHUNKS = 100
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def _byte_size(written: str | int) -> int:
    """Read a number of bytes, with K, M or G for powers of 1024."""
    text = str(written).strip().upper().removesuffix("IB").removesuffix("B")
    number, unit = (text[:-1], text[-1]) if text[-1:] in ("K", "M", "G") else (text, "")
    if not (number.isascii() and number.isdigit()) or int(number) == 0:
        raise click.BadParameter(f"{written!r} is not a size such as 65536, 256K or 4M")
    return int(number) * _UNITS[unit]


@dataclass(frozen=True)
class Order:
    """What one upload was asked to do. `seconds` is the audio's length, for files that cannot be measured."""

    path: Path
    end_user_id: str | None
    codec: str | None = None
    chunk_bytes: int = DEFAULT_CHUNK_BYTES
    parallel: int = 4
    name: str | None = None
    seconds: float | None = None
    wait: bool = True
    follow: bool = False
    quiet: bool = False


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--codec", type=click.Choice(audio_file.CODECS), help="Unless given, by the file's suffix or content.")
@click.option(
    "--chunk-size",
    "chunk_bytes",
    type=_byte_size,
    metavar="SIZE",
    default=DEFAULT_CHUNK_BYTES,
    help="Bytes per chunk, such as 64K or 4M (default 256K); more if there would be too many chunks.",
)
@click.option("--parallel", type=click.IntRange(1, 32), default=4, show_default=True, help="Chunks sent at once.")
@click.option("--name", help="A name for the recording; unless given, the file's.")
@click.option(
    "--end-user",
    "end_user_id",
    metavar="eu_ID",
    envvar="TAPEDECK_END_USER_ID",
    help="Whose recording it is; unless given, the development credentials' end user.",
)
@click.option(
    "--duration",
    "seconds",
    type=click.FloatRange(min=0.001),
    metavar="SECONDS",
    help="Length of the audio, if it cannot be measured.",
)
@click.option("--resume", "recording_id", metavar="rec_ID", help="Continue an interrupted upload.")
@click.option("--no-wait", is_flag=True, help="Print the recording's id and do not wait for the transcript.")
@click.option("--follow", is_flag=True, help="Print what is said as soon as it is recognized, also while uploading.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@connected(patience_seconds=120)
def upload(
    connection: Connection,
    file: Path,
    *,
    codec: str | None,
    chunk_bytes: int,
    parallel: int,
    name: str | None,
    end_user_id: str | None,
    seconds: float | None,
    recording_id: str | None,
    no_wait: bool,
    follow: bool,
    quiet: bool,
) -> None:
    """Upload FILE in chunks and print its transcript.

    Progress goes to stderr, the transcript to stdout. The service may be restarted meanwhile.
    """
    if no_wait and follow:
        raise click.UsageError("--no-wait and --follow exclude each other.")
    order = Order(
        path=file,
        end_user_id=end_user_id or connection.end_user_id,
        codec=codec,
        chunk_bytes=chunk_bytes,
        parallel=parallel,
        name=name,
        seconds=seconds,
        wait=not no_wait,
        follow=follow,
        quiet=quiet,
    )
    job = UploadJob(connection, order, recording_id)
    run(job.work(), advice=job.advice)


class UploadJob:
    """One upload; it knows its recording as soon as there is one, so it can say how to resume."""

    def __init__(self, connection: Connection, order: Order, recording_id: str | None = None) -> None:
        self._connection = connection
        self._order = order
        self.recording_id = recording_id
        self._is_finalized = False
        self._following: asyncio.Task[None] | None = None

    def advice(self) -> str | None:
        """Say how to continue after it was stopped, or failed, in the middle."""
        if self.recording_id is None:
            return None
        if self._is_finalized:
            return f"The upload is complete; ask for the transcript with: tapedeck transcript {self.recording_id}"
        return f"To continue: tapedeck upload {self._order.path} --resume {self.recording_id}"

    async def work(self) -> None:
        """Upload, and wait if asked to. Raises: ClientFailure, OSError."""
        try:
            recording_id = await self.upload()
            if self._following is not None:
                await self._following
            elif self._order.wait:
                await self.wait(recording_id)
            else:
                click.echo(recording_id)
        finally:
            if self._following is not None:
                self._following.cancel()
                await asyncio.gather(self._following, return_exceptions=True)

    async def upload(self) -> str:
        """Upload everything that the service does not have yet, finalize, and return the recording's id.

        Raises: ClientFailure, OSError.
        """
        async with self._connection.client() as client:
            if self.recording_id is None:
                recording_id = await self._upload_new(client)
            else:
                recording_id = await self._upload_rest(client, self.recording_id)
        self._is_finalized = True
        return recording_id

    def _begin_to_follow(self, recording_id: str) -> None:
        if self._order.follow:
            self._following = asyncio.create_task(self._follow(recording_id))

    async def _follow(self, recording_id: str) -> None:
        """Over a connection of its own: uploads must not wait for it."""
        async with self._connection.client() as client:
            await follow(client, recording_id, quiet=self._order.quiet)

    async def wait(self, recording_id: str) -> str:
        """Wait for the transcript, print it and return it. Raises: ClientFailure."""
        async with self._connection.client() as client:
            return await wait_and_print(client, recording_id, quiet=self._order.quiet)

    async def _upload_new(self, client: RecordingsClient) -> str:
        order = self._order
        length_ms = await self._length_ms()
        file = await asyncio.to_thread(cut, order.path, order.chunk_bytes, USUAL_MAX_CHUNKS)
        created = await client.create(
            codec=order.codec or audio_file.codec_of(order.path),
            end_user_id=order.end_user_id,
            started_at=datetime.now(UTC) - timedelta(milliseconds=length_ms),
            estimated_duration_ms=length_ms,
            chunk_duration_ms=max(length_ms // len(file.slices), 1),
            name=order.name or order.path.name,
        )
        self.recording_id = created.id
        say(f"recording {created.id}", quiet=order.quiet)
        self._begin_to_follow(created.id)
        if len(file.slices) > created.max_chunks:
            file = await asyncio.to_thread(cut, order.path, order.chunk_bytes, created.max_chunks)
        await self._send(client, created.id, created.chunk_upload_url_template, file, held=[], length_ms=length_ms)
        return created.id

    async def _upload_rest(self, client: RecordingsClient, recording_id: str) -> str:
        order = self._order
        listing = await client.chunks(recording_id)
        file = await asyncio.to_thread(cut_like, order.path, listing.data, order.chunk_bytes, listing.max_chunks)
        missing = missing_from(file, listing.data)
        if missing is None:
            raise CannotResume(f"{recording_id} has chunks from another file, not {order.path}.")
        self._begin_to_follow(recording_id)
        if listing.status == "streaming":
            held = [piece.number for piece in file.slices if piece not in missing]
            say(f"recording {recording_id}: {len(held)} of {len(file.slices)} chunks are stored", quiet=order.quiet)
            template = listing.chunk_upload_url_template
            length_ms = await self._length_ms()
            await self._send(client, recording_id, template, file, held=held, length_ms=length_ms)
        return recording_id

    async def _send(
        self,
        client: RecordingsClient,
        recording_id: str,
        template: str | None,
        file: CutFile,
        *,
        held: list[int],
        length_ms: int,
    ) -> None:
        missing = [piece for piece in file.slices if piece.number not in held]
        already = file.size_bytes - sum(piece.size_bytes for piece in missing)
        with upload_progress(file, already, quiet=self._order.quiet) as on_stored:
            sending = Upload(client, recording_id, file, template, parallel=self._order.parallel, on_stored=on_stored)
            await sending.send(missing)
            await sending.finalize(length_ms)

    async def _length_ms(self) -> int:
        if self._order.seconds is not None:
            return max(round(self._order.seconds * 1000), 1)
        return await asyncio.to_thread(audio_file.duration_ms, self._order.path)

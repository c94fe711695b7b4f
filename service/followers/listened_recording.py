"""A recording that is listened to: it is fed to a process that decodes it, and its parts to workers."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from adapters.worker_processes import RunningJob, WorkerDied, WorkerProcesses
from domain.errors import RecordingNotFound
from domain.recording import Phase, Recording
from service.application.arriving import Arrived
from service.application.hearing_parts import order_to_hear, record_of
from service.application.listening_orders import FinishOrder, ListenOrder, NotListening, finish_listening, listen
from service.application.part_orders import CutPart, hear_part
from service.application.project_turns import Turn, Urgency
from service.application.recordings import Recordings
from service.application.scratch import own_scratch
from service.application.stage_parts import StageParts
from service.application.trace import trace_id
from service.followers.listening_along import ListeningAlong

logger = logging.getLogger(__name__)

NAME = "head-start"

WORTH_BYTES = 1 << 18
"""A recording of fewer bytes is heard soon enough when it is complete: stages wait for nothing of it."""

_CHUNKS_AT_ONCE = 16
_LISTEN_LIMIT = timedelta(minutes=2)
_HEAR_LIMIT = timedelta(minutes=10)
_MOST_WAITING = 240
"""Parts of one recording whose sound, up to 1.9 MB each, waits on the disk to be heard."""

_ARRIVES = (Phase.OPEN, Phase.AWAITING_CHUNKS, Phase.STITCHING)
"""In which there may be chunks that were not listened to yet."""


class ListenedRecording:
    """One recording that is listened to, once it is woken. `fed_at`: when it last was, on the event loop's clock.

    `along`: what is heard of it for who listens. `is_worth_waiting_for`: whether stages wait for what has arrived.
    `has_lost_process`: whether it ended for nothing but the death of a process.
    """

    fed_at = 0.0
    is_worth_waiting_for = has_lost_process = False

    def __init__(
        self,
        recording_id: UUID,
        process: WorkerProcesses,
        along: ListeningAlong,
        parts: StageParts,
        recordings: Recordings,
    ) -> None:
        self.id = recording_id
        self.process = process
        self.task: asyncio.Task[None] | None = None
        self.along = along
        self._parts = parts
        self._recordings = recordings
        self._version = 0
        self._more = asyncio.Event()
        self._fed = self._whole = 0
        self._found: list[CutPart] = []
        self._whole_found: asyncio.Future[Arrived | None] = asyncio.get_running_loop().create_future()
        self._hearing: set[asyncio.Task[None]] = set()
        self._under_way: dict[asyncio.Task[None], Turn] = {}
        self._failed = asyncio.Event()

    def wake(self, version: int) -> None:
        """`version`: of what has happened to it."""
        self._version = max(self._version, version)
        self.fed_at = asyncio.get_running_loop().time()
        self._more.set()

    @property
    def is_whole(self) -> bool:
        """Whether all of it was decoded, to its end."""
        return self._whole_found.done() and self._whole_found.result() is not None

    def give_up(self) -> None:
        if not self._whole_found.done():
            self._whole_found.set_result(None)

    async def whole(self) -> Arrived | None:
        if not self.is_worth_waiting_for:
            return None
        return await asyncio.shield(self._whole_found)

    async def leave_to(self, turn: Turn) -> None:
        for task in self._hearing - self._under_way.keys():
            task.cancel()
        while self._under_way:
            task = next(iter(self._under_way))
            self._parts.turns.hand_over([*self._under_way.values()], to=turn)
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()  # what it does is done in the stage's turn, which ends
                raise

    async def run(self, its_trace_id: str | None) -> None:
        """Until it is cancelled, or nothing more can be heard of the recording."""
        trace_id.set(its_trace_id)
        try:
            async with own_scratch(self._parts.scratch_dir) as scratch:
                try:
                    await self._listen(scratch)
                    self.give_up()  # unless it is whole: stages wait for the news, not for the parts
                    await asyncio.gather(*self._hearing, return_exceptions=True)
                    if self.is_whole:
                        await asyncio.Event().wait()  # its sound is kept until it is let go
                finally:
                    self.along.leave()
                    self.give_up()
                    for task in self._hearing:
                        task.cancel()
                    await asyncio.gather(*self._hearing, return_exceptions=True)
        except RecordingNotFound:
            return
        except Exception as error:  # noqa: BLE001 - it is heard when it is complete, whatever broke here
            self._log_end(error)

    def _log_end(self, error: BaseException) -> None:
        self.has_lost_process = isinstance(error, NotListening | WorkerDied)
        about = {"follower": NAME, "recording_id": self.id.hex}
        logger.info("listening ends", extra={**about, "because": f"{type(error).__name__}: {error}"})

    async def _listen(self, scratch: Path) -> None:
        replacements = None
        while not self._failed.is_set():
            await self._more.wait()
            self._more.clear()
            recording = await self._recordings.find(self.id, at_least=self._version)
            if replacements not in (None, recording.replacements) or recording.phase not in _ARRIVES:
                return
            replacements = recording.replacements
            self.is_worth_waiting_for = recording.chunks.size_bytes >= WORTH_BYTES
            if recording.phase is Phase.STITCHING:
                self.along.leave()
            while (keys := _next_keys(recording, self._fed)) or (self._fed and self.along.is_due):
                if await self._feed(recording, keys, scratch) or self._failed.is_set():
                    return
                if len(self._hearing) > _MOST_WAITING:
                    return
            if recording.phase is Phase.STITCHING:
                if self.is_worth_waiting_for and self._fed == len(recording.chunks_to_stitch()):
                    await self._finish(scratch)
                return

    async def _finish(self, scratch: Path) -> None:
        order = FinishOrder(name=str(self.id), parts_before=self._whole, scratch_dir=scratch)
        finished = await self.process.run(finish_listening, order, timeout=_LISTEN_LIMIT)
        if finished is not None and not self._whole_found.done():
            came, last = finished
            self._whole_found.set_result(Arrived(came, [*self._found, *last]))

    async def _feed(self, recording: Recording, keys: list[str], scratch: Path) -> bool:
        """Whether nothing comes of the recording any more."""
        order = ListenOrder(
            blob_store_url=self._parts.blob_store_url,
            name=str(self.id),
            begins=self._fed == 0,
            chunk_keys=keys,
            parts_before=self._whole,
            scratch_dir=scratch,
            windows_since=self.along.windows_since(),
        )
        listened = await self.process.run(listen, order, timeout=_LISTEN_LIMIT)
        self.along.take(listened.windows, recording)
        for part, index in listened.parts:
            self._whole = part.number
            self._found.append(part)
            hearing = asyncio.create_task(self._hear(recording, part, self._fed + index + 1))
            self._hearing.add(hearing)
            hearing.add_done_callback(self._heard)
        self._fed += len(keys)
        return listened.has_ended

    def _heard(self, task: asyncio.Task[None]) -> None:
        self._hearing.discard(task)
        self._under_way.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._log_end(error)
            self._failed.set()
            self._more.set()

    async def _hear(self, recording: Recording, part: CutPart, last_chunk: int) -> None:
        parts, language = self._parts, recording.language_wanted or self._parts.language
        if part.sound is None:
            raise ValueError("only a part with its sound can be heard")
        known = recording.heard.get(part.number)
        if known is None or known.sound_sha256 != part.sha256 or known.language != language:
            order = order_to_hear(part, parts, self.id, recording, language=language)
            async with parts.turns.turn(recording.opened.tenant_id, Urgency.AHEAD) as turn:
                on_start = partial(self._start, turn)
                heard = await parts.workers.run(hear_part, order, timeout=_HEAR_LIMIT, on_start=on_start)
            command = record_of(
                heard,
                number=part.number,
                last_chunk=last_chunk,
                language=language,
                replacements=recording.replacements,
                at=parts.clock(),
            )
            await self._recordings.execute(self.id, command, trace_id=trace_id.get())
        with suppress(FileNotFoundError):
            await asyncio.to_thread(part.sound.unlink)

    def _start(self, turn: Turn, job: RunningJob) -> None:
        turn.is_used_by(job)
        task = asyncio.current_task()
        if task is not None:
            self._under_way[task] = turn


def _next_keys(recording: Recording, fed: int) -> list[str]:
    """The blobs of the chunks that follow the first `fed` without a gap."""
    keys = []
    for number in range(fed + 1, fed + 1 + _CHUNKS_AT_ONCE):
        chunk = recording.chunks.get(number)
        if chunk is None or chunk.blob_key is None:
            break
        keys.append(chunk.blob_key)
    return keys

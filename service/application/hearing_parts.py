"""A long recording is recognized part by part: on all workers side by side, and no part that is known already.

What is heard is noted in the recording's history part by part. So work that is cut off goes on where it was, and people
see how far it is.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from adapters.blobs.port import StoredBlob
from adapters.speech.transcript import Transcript
from domain.commands import RecordPartHeard
from domain.recording import Recording
from service.application.arriving import Arrived
from service.application.blob_names import made_prefix
from service.application.part_orders import (
    CutOrder,
    CutPart,
    HeardBlob,
    HearOrder,
    JoinOrder,
    cut_into_parts,
    hear_part,
    join_parts,
)
from service.application.project_turns import Turn, Urgency
from service.application.stage_parts import Permit, StageParts, TookTooLong
from service.application.trace import trace_id


@dataclass(frozen=True, slots=True)
class Wanted:
    """The stitched audio of a recording, and the language of its words."""

    recording_id: UUID
    recording: Recording
    audio_key: str
    language: str


class PartsOfRecording:
    """The parts of one recording that are heard in one go. `scratch`: for their sound."""

    def __init__(self, parts: StageParts, wanted: Wanted, permit: Permit, scratch: Path) -> None:
        self._parts = parts
        self._wanted = wanted
        self._permit = permit
        self._scratch = scratch
        self._waiting: deque[CutPart] = deque()
        self._heard: dict[int, str] = {}
        self._without_turn: set[asyncio.Task[None] | None] = set()
        self._began = asyncio.get_running_loop().time()

    async def transcript(self) -> tuple[StoredBlob, Transcript] | None:
        """The stored transcript; None if the recording must be heard as a whole.

        Raises: as `StageParts.in_worker`; TookTooLong; a RecordingError when nothing is wanted of it any more.
        """
        arrived = await self._parts.arriving.left_to(self._permit.turn, self._wanted.recording_id)
        found = await self._parts.in_worker(cut_into_parts, await self._cut_order(arrived), self._permit)
        if found is None:
            return None
        self._heard = {part.number: part.heard_key for part in found if part.heard_key is not None}
        self._waiting.extend(part for part in found if part.heard_key is None)
        await self._hear_all()
        return await self._parts.in_worker(join_parts, self._join_order(found), self._permit)

    async def _cut_order(self, arrived: Arrived | None) -> CutOrder:
        """With what is known by now: parts may have been heard since the stage began."""
        wanted = self._wanted
        now = await self._parts.recordings.find(wanted.recording_id)
        stitched = wanted.recording.stitched
        if arrived is not None and (stitched is None or stitched.sha256 != arrived.came.sha256):
            arrived = None
        return CutOrder(
            blob_store_url=self._parts.blob_store_url,
            audio_key=self._wanted.audio_key,
            engine=self._parts.engine,
            language=self._wanted.language,
            scratch_dir=self._scratch,
            known={part.sound_sha256: part.blob_key for part in now.heard.values()},
            came=arrived.came if arrived is not None else None,
            parts=arrived.parts if arrived is not None else (),
        )

    def _join_order(self, found: Sequence[CutPart]) -> JoinOrder:
        wanted = self._wanted
        return JoinOrder(
            blob_store_url=self._parts.blob_store_url,
            engine=self._parts.engine,
            language=wanted.language,
            heard_keys=[self._heard[part.number] for part in found],
            prefix=made_prefix(wanted.recording_id, "transcript", wanted.recording.edition),
        )

    async def _hear_all(self) -> None:
        """In the stage's own turn, and beside it in as many more as there are places and parts."""
        most = min(self._parts.turns.count, len(self._waiting))
        helping = {asyncio.create_task(self._help()) for _ in range(1, most)}
        try:
            while self._waiting:
                await self._hear(self._waiting.popleft(), self._permit.turn)
            await asyncio.gather(*helping - self._without_turn)
        finally:
            for task in helping:
                task.cancel()
            await asyncio.gather(*helping, return_exceptions=True)

    async def _help(self) -> None:
        """A part is short work: for each it waits for a turn anew, so that others have theirs in between."""
        me, project = asyncio.current_task(), self._wanted.recording.opened.tenant_id
        try:
            while self._waiting:
                self._without_turn.add(me)
                async with self._parts.turns.turn(project, Urgency.SHORT) as turn:
                    self._without_turn.discard(me)
                    if self._waiting:
                        await self._hear(self._waiting.popleft(), turn)
        except BaseException:
            self._waiting.clear()  # so that the stage ends, and with this
            raise

    async def _hear(self, part: CutPart, turn: Turn) -> None:
        wanted, parts = self._wanted, self._parts
        order = order_to_hear(part, parts, wanted.recording_id, wanted.recording, language=wanted.language)
        heard = await parts.in_worker(hear_part, order, Permit(self._left(), turn))
        await asyncio.to_thread(order.sound.unlink)
        self._heard[part.number] = heard.blob.key
        command = record_of(
            heard,
            number=part.number,
            last_chunk=wanted.recording.chunks.highest,
            language=wanted.language,
            replacements=wanted.recording.replacements,
            at=parts.clock(),
        )
        await parts.recordings.execute(wanted.recording_id, command, trace_id=trace_id.get())

    def _left(self) -> timedelta:
        """Of the time that the stage has. Raises: TookTooLong when it is over."""
        gone = timedelta(seconds=asyncio.get_running_loop().time() - self._began)
        if gone >= self._permit.within:
            raise TookTooLong(self._permit.within)
        return self._permit.within - gone


def order_to_hear(
    part: CutPart, parts: StageParts, recording_id: UUID, recording: Recording, *, language: str
) -> HearOrder:
    """What a worker is told, so that it hears a part whose sound is in a file."""
    if part.sound is None:
        raise ValueError("only a part with its sound can be heard")
    return HearOrder(
        blob_store_url=parts.blob_store_url,
        engine=parts.engine,
        language=language,
        sound=part.sound,
        start_sample=part.start_sample,
        prefix=made_prefix(recording_id, "part", recording.edition),
    )


def record_of(
    heard: HeardBlob, *, number: int, last_chunk: int, language: str, replacements: int, at: datetime
) -> RecordPartHeard:
    """The command that notes what was heard in a part, which rests on the chunks up to `last_chunk`."""
    return RecordPartHeard(
        at=at,
        number=number,
        last_chunk=last_chunk,
        start_ms=heard.start_ms,
        duration_ms=heard.duration_ms,
        sound_sha256=heard.sound_sha256,
        blob_key=heard.blob.key,
        size_bytes=heard.blob.size_bytes,
        sha256=heard.blob.sha256,
        language=language,
        engine=heard.engine,
        word_count=heard.word_count,
        replacements=replacements,
    )

"""What the HTTP API's handlers do, without HTTP: the same calls in the order of `dialects.bota.streaming`."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from adapters.notes.note import Note, Section, Sentence
from domain import commands
from domain.errors import RecordingError
from domain.events import RecordingOpened
from service.application.blob_names import blob_prefix
from service.application.note_edits import KIND, Edit
from service.application.recordings import RecordingOutcome
from service.application.uploads import Announcement, ArrivedChunk
from service.dialects.bota.rendering import finalize_answer
from tests.tools.simulation.memory_blobs import described
from tests.tools.simulation.process import Process
from tests.tools.simulation.world import World


class Handlers:
    """Requests about one recording."""

    def __init__(self, world: World, recording_id: UUID) -> None:
        self._world = world
        self._id = recording_id

    async def carry_out(self, process: Process, command: commands.Command) -> RecordingOutcome:
        return await process.recordings.execute(self._id, command)

    async def put_chunk(self, process: Process, number: int, body: bytes, expected: int | None) -> None:
        """`expected`: how many bytes the client had announced."""
        await process.uploads.opened(self._id)
        would_be = described(blob_prefix(self._id, f"chunk-{number}"), body).key
        self._world.in_doubt[would_be] += 1
        try:
            await process.uploads.store_chunk(self._id, number, _stream(body), expected_bytes=expected)
        except RecordingError:
            self._settle(would_be)
            raise
        self._settle(would_be)

    def _settle(self, would_be: str) -> None:
        """One put of the blob has ended cleanly; others of the same bytes may have been cut off."""
        self._world.in_doubt[would_be] -= 1
        self._world.in_doubt += Counter()  # forgets what is settled

    async def append_chunk(self, process: Process, body: bytes, is_last: bool) -> int:
        """Take a chunk without a number, as `service.application.consultations` does; returns the number that it got.

        The request has a name: without one, a request that was cut off and takes effect after the next chunk would be
        another chunk. The service's one process takes a session's requests in turn; here there are two, without turns.
        """
        opened = await process.uploads.opened(self._id)
        arrived = described(blob_prefix(self._id, "chunk"), body)
        self._world.in_doubt[arrived.key] += 1
        appended = await process.uploads.append(
            announcement(self._id, opened),
            ArrivedChunk(
                content=body,
                sha256=arrived.sha256,
                request_sha256=arrived.sha256,
                request_is_named=True,
                is_last=is_last,
            ),
        )
        stored = appended.chunk
        await self.hear_chunk(process, stored.number, body)
        return stored.number

    async def hear_chunk(self, process: Process, number: int, body: bytes) -> None:
        """Record a chunk's words, as many bytes as the chunk, which nobody has stored."""
        heard = described(blob_prefix(self._id, f"words-{number}"), body)
        command = commands.RecordChunkTranscribed(
            at=self._world.clock(),
            number=number,
            chunk_sha256=heard.sha256,
            blob_key=heard.key,
            size_bytes=heard.size_bytes,
            sha256=heard.sha256,
            language="en",
            engine="simulated",
            word_count=1,
            duration_ms=len(body),
        )
        await process.recordings.execute(self._id, command)
        await self._hear_part(process, number, body)

    async def _hear_part(self, process: Process, number: int, body: bytes) -> None:
        """Record what was heard in a part that ends with a chunk; it too has as many bytes."""
        heard = described(blob_prefix(self._id, f"heard-{number}"), body)
        command = commands.RecordPartHeard(
            at=self._world.clock(),
            number=number,
            last_chunk=number,
            start_ms=1_000 * number,
            duration_ms=1_000,
            sound_sha256=heard.sha256,
            blob_key=heard.key,
            size_bytes=heard.size_bytes,
            sha256=heard.sha256,
            language="en",
            engine="simulated",
            word_count=1,
            replacements=(await process.recordings.find(self._id)).replacements,
        )
        await process.recordings.execute(self._id, command)

    async def put_metadata(self, process: Process, number: int, body: bytes) -> None:
        """Announce a chunk without its bytes: they may come later, or never."""
        announced = described("", body)
        command = commands.StoreChunk(
            at=self._world.clock(),
            number=number,
            blob_key=None,
            size_bytes=0,
            sha256=announced.sha256,
            md5=announced.md5,
        )
        await process.recordings.execute(self._id, command)

    async def finalize(self, process: Process, total_chunks: int, duration_ms: int) -> dict[str, Any]:
        recording = await process.uploads.finalize(self._id, total_chunks=total_chunks, final_duration_ms=duration_ms)
        return finalize_answer(self._id, recording).model_dump()

    async def edit_note(self, process: Process, words: str, author: str, *, has_read: bool) -> tuple[str, str]:
        """Change the note that this process knows of; `has_read`: only that one. Who did it, and what it became."""
        recording = await process.notes.recording(self._id)
        seen = frozenset({recording.note_version}) if has_read else None
        sections = {Section.PLAN: (Sentence(text=words, source=None),)}
        edit = Edit(sections=sections, author=author, key_id="key1", seen=seen)
        self._world.in_doubt[self._edited(edit)] += 1
        try:
            edited = await process.notes.edit(self._id, edit)
        except RecordingError:
            self._settle(self._edited(edit))
            raise
        self._settle(self._edited(edit))
        return author, edited.version.name.partition("-")[2]

    def _edited(self, edit: Edit) -> str:
        """The key that the words of the edit get."""
        every = {section: tuple(edit.sections.get(section, ())) for section in Section}
        note = Note(sections=every, engine="simulated", language="en")
        return described(blob_prefix(self._id, KIND), note.to_json()).key

    async def status(self, process: Process) -> Any:
        """What the view says, once it has seen everything that this process has answered for so far."""
        await process.projector.wait_for(process.log.head, seconds=600)
        return self._world.summaries.find(self._id)


def announcement(recording_id: UUID, opened: RecordingOpened) -> Announcement:
    """What the recording's caller said when it was opened, said again."""
    return Announcement(
        recording_id=recording_id,
        dialect=opened.dialect,
        tenant_id=opened.tenant_id,
        external_id=opened.external_id,
        kind=opened.kind,
        finalize_policy=opened.finalize_policy,
        max_chunks=opened.max_chunks,
        window=opened.expires_at - opened.at,
    )


async def _stream(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 4):
        yield body[start : start + 4]

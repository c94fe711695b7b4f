"""All recordings. A command is decided on a recording's newest state; its events are durable before the answer."""

from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.staged_bytes import StagedBytes
from domain.commands import Command
from domain.errors import RecordingError, RecordingNotFound
from domain.events import RECORDING_EVENT_TYPES, RecordingEvent, RecordingOpened
from domain.life import decide
from domain.recording import Phase, Recording, fold
from service.application.streams import Aggregate, Outcome, Snapshots, Streams

HOT_CHUNKS = 200_000
"""Chunks kept in memory over all recordings, about 1 KiB each; a recording counts as one more. The least recently
used recordings are dropped first."""

RecordingOutcome = Outcome[Recording, RecordingEvent]


def _weight(recording: Recording | None) -> int:
    return 1 + (len(recording.chunks) + len(recording.superseded) + len(recording.edits) if recording else 0)


RECORDINGS: Aggregate[Recording, Command, RecordingEvent] = Aggregate(
    decide=decide,
    fold=fold,
    events=frozenset(RECORDING_EVENT_TYPES.values()),
    refusals=RecordingError,
    weight=_weight,
    is_current=lambda recording: recording is not None,  # another process may have opened it
)


class Recordings:
    """All recordings, by id. Used from one event loop. `is_shared`: see `Streams`."""

    def __init__(
        self,
        log: EventLog,
        *,
        snapshots: Snapshots[Recording] | None = None,
        hot_chunks: int = HOT_CHUNKS,
        is_shared: bool = False,
    ) -> None:
        self._streams = Streams(log, RECORDINGS, most_held=hot_chunks, snapshots=snapshots, is_shared=is_shared)

    async def execute(
        self, recording_id: UUID, command: Command, *, trace_id: str | None = None, after: StagedBytes | None = None
    ) -> RecordingOutcome:
        """Decide `command` and wait until its events, and all before them, are durable.

        `after`: the bytes that its events refer to, made durable by the same commit; ignored when there are no events.

        Raises: a RecordingError of the domain; LogFull, LogUnavailable; Contended; what `after` raises.
        """
        return await self._streams.execute(recording_id, command, trace_id=trace_id, after=after)

    async def find(self, recording_id: UUID, *, at_least: int = 0) -> Recording:
        """The recording with all its events durable, not older than version `at_least`.

        Unless they are shared, another process may have written more meanwhile. Raises: RecordingNotFound; LogFull,
        LogUnavailable; Contended.
        """
        recording = await self._streams.find(recording_id, at_least=at_least)
        if recording is None or recording.phase is Phase.DELETED:
            raise RecordingNotFound
        return recording

    async def newest(self, recording_id: UUID) -> Recording:
        """As `find`, with all that any process has committed before this call. Raises: as `find`."""
        recording = await self._streams.newest(recording_id)
        if recording is None or recording.phase is Phase.DELETED:
            raise RecordingNotFound
        return recording

    async def opened(self, recording_id: UUID) -> RecordingOpened:
        """How the recording was opened, which never changes: unlike `find`, this waits for no other commit.

        Raises: as `find`.
        """
        recording = await self._streams.committed_opening(recording_id)
        if recording is None or recording.phase is Phase.DELETED:
            return (await self.find(recording_id)).opened
        return recording.opened

    def in_memory(self, recording_id: UUID, *, at_least: int) -> Recording | None:
        """The newest state known to be in the log, if the recording is in memory and that state is not older than
        version `at_least`."""
        return self._streams.in_memory(recording_id, at_least=at_least)

    async def forget_snapshot(self, recording_id: UUID) -> None:
        """Remove the recording's snapshot, if one is kept. Raises: SnapshotNotForgotten."""
        await self._streams.forget_snapshot(recording_id)

    async def close(self) -> None:
        """Wait for reads under way and for snapshots being written. Close the log after this."""
        await self._streams.close()

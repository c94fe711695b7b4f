"""What can be asked of a recording after its upload, in every dialect."""

from uuid import UUID

from domain.commands import DeleteRecording, RetryRecording
from service.application.clock import Clock
from service.application.recordings import Recordings
from service.application.trace import trace_id


class Lifecycle:
    """All methods may raise RecordingNotFound; LogFull, LogUnavailable; Contended."""

    def __init__(self, recordings: Recordings, *, clock: Clock) -> None:
        self._recordings = recordings
        self._clock = clock

    async def retry(self, recording_id: UUID) -> None:
        """Resume a failed recording at the stage that failed. Raises: NotFailed; RecordingExpired."""
        command = RetryRecording(at=self._clock())
        await self._recordings.execute(recording_id, command, trace_id=trace_id.get())

    async def delete(self, recording_id: UUID) -> None:
        """Delete the recording: it is gone on return, its bytes are erased right after."""
        command = DeleteRecording(at=self._clock())
        await self._recordings.execute(recording_id, command, trace_id=trace_id.get())

"""Whether each answer was right when it was given, judged only by the durable log.

An answer must be what the decision gives on some state that the recording had between question and answer, with its own
events durable by then. So no answer rests on something uncommitted, on something stale, or on a state that never was.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.staged_bytes import StagedBytes
from domain.commands import Command
from domain.errors import RecordingError
from domain.events import RecordingEvent
from domain.life import decide
from domain.recording import Phase, Recording
from service.application.recordings import RecordingOutcome, Recordings
from tests.tools.simulation.memory_log import MemoryLog


class AuditedRecordings(Recordings):
    """`Recordings`, with every answer checked before it is passed on. Errors are reported to `accuse`."""

    def __init__(
        self,
        log: EventLog,
        durable: MemoryLog,
        accuse: Callable[[str], None],
        *,
        hot_chunks: int,
        is_shared: bool,
    ) -> None:
        super().__init__(log, hot_chunks=hot_chunks, is_shared=is_shared)
        self._durable = durable
        self._accuse = accuse
        self._is_shared = is_shared

    async def execute(
        self, recording_id: UUID, command: Command, *, trace_id: str | None = None, after: StagedBytes | None = None
    ) -> RecordingOutcome:
        asked_at = self._durable.version(recording_id)
        try:
            outcome = await super().execute(recording_id, command, trace_id=trace_id, after=after)
        except RecordingError as refusal:
            states = self._durable.states(recording_id)[asked_at:]
            if not any(_refuses(state, command, refusal) for state in states):
                self._accuse(f"{command} was refused without a reason: {refusal!r}")
            raise
        if not self._stands(recording_id, command, outcome, asked_at):
            self._accuse(f"{command} was answered with what is not in the log: {outcome}")
        return outcome

    def _stands(self, recording_id: UUID, command: Command, outcome: RecordingOutcome, asked_at: int) -> bool:
        states, events = self._durable.states(recording_id), list(outcome.events)
        history = self._durable.history(recording_id)
        return any(
            history[version : version + len(events)] == events
            and states[version + len(events)] == outcome.state
            and _decided(states[version], command) == events
            for version in range(asked_at, len(states) - len(events))
        )

    async def find(self, recording_id: UUID, *, at_least: int = 0) -> Recording:
        oldest = max(at_least, self._durable.version(recording_id) if self._is_shared else 0)
        return self._checked("find", recording_id, await super().find(recording_id, at_least=at_least), oldest)

    async def newest(self, recording_id: UUID) -> Recording:
        asked_at = self._durable.version(recording_id)
        return self._checked("newest", recording_id, await super().newest(recording_id), asked_at)

    def in_memory(self, recording_id: UUID, *, at_least: int) -> Recording | None:
        recording = super().in_memory(recording_id, at_least=at_least)
        if recording is not None and recording not in self._durable.states(recording_id)[at_least:]:
            self._accuse(f"in memory is a state that the recording never had since then: {recording}")
        return recording

    def _checked(self, asked: str, recording_id: UUID, recording: Recording, oldest: int) -> Recording:
        if recording.phase is Phase.DELETED or recording not in self._durable.states(recording_id)[oldest:]:
            self._accuse(f"{asked} gave a state that the recording never had since then: {recording}")
        return recording


def _decided(state: Recording | None, command: Command) -> Sequence[RecordingEvent] | None:
    try:
        return list(decide(state, command))
    except RecordingError:
        return None


def _refuses(state: Recording | None, command: Command, refusal: RecordingError) -> bool:
    try:
        decide(state, command)
    except RecordingError as error:
        return type(error) is type(refusal) and vars(error) == vars(refusal)
    return False

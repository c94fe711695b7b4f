"""What a process claims before it works on a recording; see `adapters.claims`."""

from collections.abc import Sequence
from uuid import UUID

from domain.events import Stage
from service.application.stages import STAGES


def stage_job(stage: Stage, recording_id: UUID) -> str:
    """A stage's work on the recording."""
    return f"{stage.value} {recording_id.hex}"


def jobs_on(recording_id: UUID) -> Sequence[str]:
    """All that may store bytes of the recording after it is deleted."""
    return [stage_job(stage, recording_id) for stage in STAGES]

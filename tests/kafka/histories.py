"""Valid histories for the tests of the stream: whatever commands can lead to, drawn by hypothesis.

Commands are drawn in any order and decided by the domain; those that it refuses leave no event. To be replaced by the
domain's own kit of histories once that is there.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from domain.commands import Command
from domain.decisions import decide
from domain.errors import RecordingError
from domain.events import RecordingEvent, Stage
from domain.recording import fold
from tests.domain import histories

COMMANDS: tuple[Callable[[Any], Command], ...] = (
    lambda draw: histories.store_chunk(draw(st.integers(1, 4)), draw(st.binary(max_size=3))),
    lambda draw: histories.finalize(draw(st.integers(1, 3)), duration_ms=draw(st.integers(0, 10**9))),
    lambda _: histories.record_stitched(),
    lambda _: histories.record_transcribed(),
    lambda draw: histories.record_failure(draw(st.sampled_from(Stage))),
    lambda _: histories.retry(),
)
_NAMES = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@st.composite
def valid_histories(draw: Any) -> list[RecordingEvent]:
    """The events of one recording, at least its opening."""
    opening = histories.open_recording(
        codec=draw(_NAMES), device_id=draw(_NAMES), end_user_id=draw(_NAMES), started_at=draw(st.none() | st.just(AT))
    )
    events = list(decide(None, opening))
    for command in draw(st.lists(st.sampled_from(COMMANDS), max_size=14)):
        events += _decided(events, command(draw))
    return events


AT = histories.at(-5)


def _decided(events: Sequence[RecordingEvent], command: Command) -> Sequence[RecordingEvent]:
    try:
        return decide(fold(events), command)
    except RecordingError:
        return []

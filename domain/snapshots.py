"""A recording's state as a value that can be stored, so that a long history need not be folded from its beginning.

A snapshot holds the current facts and nothing that was replaced: each of the recording's fields, with tables of chunks
as the chunks in the order of their first arrival. A snapshot can always be made again, so one whose shape today's code
does not know is ignored, not upcast as an event is.
"""

from functools import reduce
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from domain.chunks import ChunkTable
from domain.events import RECORDING_EVENT_TYPES, ChunkStored
from domain.recording import Recording, with_stored


def _event_versions() -> dict[str, int]:
    return {name: event_type.VERSION for name, event_type in RECORDING_EVENT_TYPES.items()}


def _of_today(versions: dict[str, int]) -> dict[str, int]:
    if versions != _event_versions():
        raise ValueError("the snapshot holds events in versions other than today's")
    return versions


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    event_versions: Annotated[dict[str, int], AfterValidator(_of_today)] = Field(default_factory=_event_versions)


def _kept(kind: Any) -> Any:
    """How a field of a recording is stored."""
    return GenericAlias(tuple, (*get_args(kind), ...)) if get_origin(kind) is ChunkTable else kind


_FIELDS = get_type_hints(Recording)

if TYPE_CHECKING:
    Snapshot = _Header  # mypy cannot know fields that are made at run time; nothing outside names them
else:
    Snapshot = create_model(
        "Snapshot", __base__=_Header, **{name: (_kept(kind), ...) for name, kind in _FIELDS.items()}
    )
"""The state after some event of a history. Its JSON is what is stored.

Reading another `format`, events of other versions, or a corrupt snapshot raises pydantic.ValidationError.
"""


def take_snapshot(recording: Recording) -> Snapshot:
    """The recording's current facts."""
    facts = {name: getattr(recording, name) for name in _FIELDS}
    tables = {name: tuple(fact.values()) for name, fact in facts.items() if isinstance(fact, ChunkTable)}
    return Snapshot(**facts | tables)


def restore(snapshot: Snapshot) -> Recording:
    """The state from which the snapshot was taken; later events fold into it as into any other."""
    facts = {name: getattr(snapshot, name) for name in _FIELDS}
    no_chunks: ChunkTable[ChunkStored] = ChunkTable()
    chunks = reduce(with_stored, facts.pop("chunks"), no_chunks)  # so that they can be found by their requests, too
    tables = {name: ChunkTable.of(fact) for name, fact in facts.items() if isinstance(fact, tuple)}
    return Recording(chunks=chunks, **facts | tables)

"""The checker of what is there in the end, compared with what was acknowledged."""

import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from domain.events import (
    ChunkStored,
    Failed,
    FinalizeRequested,
    LoggedEvent,
    RecordingDeleted,
    RecordingOpened,
    Stitched,
    Transcribed,
)
from tests.tools.soak.cluster.answers import wrong_chunks
from tests.tools.soak.cluster.history import Life, Operation
from tests.tools.soak.cluster.speech import Recorded, heard_in

WEBHOOKS: dict[type[LoggedEvent], tuple[str, ...]] = {
    RecordingOpened: ("recording.created",),
    FinalizeRequested: ("recording.uploaded", "transcription.queued"),
    Stitched: ("transcription.started",),
    Transcribed: ("transcription.completed",),
    Failed: ("transcription.failed",),
    RecordingDeleted: ("recording.deleted",),
}
"""What receivers are told of each event, as Bota's reference says."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """One recording when all is calm. `statuses`: of what was asked about it, by path. `found`: the ids of recordings
    in which a search finds its token. The rest is of one that stands: `finalized` is the answer to one more finalize.
    """

    statuses: Mapping[str, int]
    found: tuple[str, ...] = ()
    status: str | None = None
    chunks: Mapping[int, str] = field(default_factory=dict)
    audio_sha256: str | None = None
    text: str | None = None
    finalized: bytes | None = None


def wrong_ending(life: Life, what: Recorded, ending: Ending) -> Iterator[str]:
    """One sentence for each thing that is not as it was acknowledged."""
    if set(ending.statuses.values()) == {404}:
        if not life.may_be_deleted:
            yield "it is gone, and nobody had asked for a deletion"
        if ending.found:
            yield "it is deleted, and yet a search finds it"
        return
    if life.deleted is not None:
        there = sorted(path for path, status in ending.statuses.items() if status != 404)
        yield f"it is deleted, and yet not all of it is gone: {', '.join(there)}"
        return
    if set(ending.statuses.values()) != {200}:
        yield f"not all of it can be read: {dict(ending.statuses)}"
        return
    yield from wrong_chunks(life, dict(ending.chunks), begun=inf, ended=inf)
    if not life.is_finalized:
        return
    before = {call.body for call in life.of(Operation.FINALIZE) if call.is_acknowledged}
    if ending.finalized not in before:
        yield f"finalize answers differently now: {ending.finalized!r}, and before {sorted(before)}"
    if ending.status == "completed":
        yield from _wrong_transcript(life, what, ending)
    else:
        yield f"its status is {ending.status}"


def _wrong_transcript(life: Life, what: Recorded, ending: Ending) -> Iterator[str]:
    if ending.found != (life.id,):
        yield f"a search for its words finds {', '.join(ending.found) or 'nothing'}"
    audios = possible_audio(life, what)
    if ending.audio_sha256 not in audios:
        yield "its audio is not the chunks that were acknowledged"
    elif ending.text is None or audios[ending.audio_sha256].lower() != ending.text.lower().rstrip("."):
        yield f"its transcript is not that of its audio: {ending.text!r}"


def possible_audio(life: Life, what: Recorded) -> dict[str, str]:
    """The digests that its audio may have, and what is heard in each."""
    bodies = {hashlib.sha256(body).hexdigest(): body for body in what.bodies()}
    if what.replaced is not None:
        bodies[hashlib.sha256(what.other_body()).hexdigest()] = what.other_body()
    choices = [
        [bodies[digest] for digest in life.possible(number, begun=inf, ended=inf) if digest is not None]
        for number in sorted(life.numbers())
    ]
    wholes = (b"".join(chosen) for chosen in itertools.product(*choices))
    return {hashlib.sha256(whole).hexdigest(): heard_in(whole) for whole in wholes}


def wrong_history(life: Life, events: Sequence[LoggedEvent]) -> Iterator[str]:
    """`events`: the recording's own, in order. Each stage's result stands once."""
    counts = Counter(type(event) for event in events)
    for kind, (least, most) in _bounds(life).items():
        if not least <= counts[kind] <= most:
            yield f"{kind.__name__} stands {counts[kind]} times, not {least if least == most else 'at most 1'}"
    stored = defaultdict[int, list[str]](list)
    for event in events:
        if isinstance(event, ChunkStored):
            stored[event.number].append(event.sha256)
    for number, digests in sorted(stored.items()):
        sent = {call.sha256 for call in life.of(Operation.PUT) if call.number == number}
        if not set(digests) <= sent:
            yield f"the log has bytes for chunk {number} that nobody sent"
        if any(before == after for before, after in itertools.pairwise(digests)):
            yield f"the log has the same bytes for chunk {number} twice"


def _bounds(life: Life) -> dict[type[LoggedEvent], tuple[int, int]]:
    """How often each must stand at least, and may stand at most. What is deleted may have come as far as it had."""
    stages = (int(life.is_finalized and not life.may_be_deleted), 1)
    deleted = (int(life.deleted is not None), int(life.may_be_deleted))
    return {
        RecordingOpened: (1, 1),
        FinalizeRequested: (int(life.is_finalized), 1),
        Stitched: stages,
        Transcribed: stages,
        Failed: (0, 0),
        RecordingDeleted: deleted,
    }


@dataclass(frozen=True)
class Place:
    """Of one event: `id` is its stream and its version, `stream` and a number joined by a slash."""

    id: str
    position: int

    @property
    def stream(self) -> str:
        return self.id.partition("/")[0]


def wrong_positions(logged: Sequence[Place]) -> Iterator[str]:
    """`logged`: all events, as a reader has them. Positions are dense and in order."""
    if [each.position for each in logged] != list(range(1, len(logged) + 1)):
        yield "the log's positions are not dense and in order"


def wrong_records(logged: Sequence[Place], partitions: Iterable[Sequence[Place]]) -> Iterator[str]:
    """`partitions`: what a reader of committed records has of each, in order. Each event stands once, in order."""
    read = [list(partition) for partition in partitions]
    counts, wanted = Counter(itertools.chain.from_iterable(read)), Counter(logged)
    missing, more = wanted - counts, counts - wanted
    if missing:
        yield f"{missing.total()} events of the log are not in Kafka: {_some(missing)}"
    if more:
        yield f"{more.total()} records in Kafka are more than the log has: {_some(more)}"
    for partition in read:
        positions = [each.position for each in partition]
        if positions != sorted(positions):
            yield "the records of a partition are not in the order of the log"
    streams = Counter(stream for partition in read for stream in {each.stream for each in partition})
    if scattered := sum(count > 1 for count in streams.values()):
        yield f"the records of {scattered} recordings are in several partitions"


def _some(places: Counter[Place]) -> str:
    return ", ".join(f"{each.id} at {each.position}" for each in list(places)[:3])


@dataclass(frozen=True)
class Told:
    """One webhook as a receiver got it: about which recording, and whether form and signature were right."""

    event_id: str
    type: str
    recording_id: str
    body: bytes
    is_right: bool


def wrong_webhooks(expected: Counter[tuple[str, str]], told: Sequence[Told]) -> Iterator[str]:
    """`expected`: how often each type is to come about each recording's public id, other attempts not counted."""
    unsigned = [each for each in told if not each.is_right]
    if unsigned:
        yield f"{len(unsigned)} webhooks had a wrong form or signature: {unsigned[0].event_id}"
    bodies = defaultdict[str, set[bytes]](set)
    for each in told:
        bodies[each.event_id].add(each.body)
    for event_id, different in bodies.items():
        if len(different) > 1:
            yield f"webhook {event_id} came with {len(different)} different bodies"
    first = {each.event_id: (each.recording_id, each.type) for each in told}
    came = Counter(first.values())
    for wanting, sentence in ((expected - came, "never came"), (came - expected, "came, and there is no such event")):
        for (recording_id, kind), count in wanting.items():
            yield f"{recording_id}: {kind} {sentence}" + (f" ({count} times)" if count > 1 else "")


def expected_webhooks(streams: Mapping[str, Sequence[LoggedEvent]]) -> Counter[tuple[str, str]]:
    """`streams`: the events of each recording, by its public id."""
    return Counter(
        (recording_id, kind)
        for recording_id, events in streams.items()
        for event in events
        for kind in WEBHOOKS.get(type(event), ())
    )

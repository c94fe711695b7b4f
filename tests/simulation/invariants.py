"""What must hold when a run is over: written independently of `domain`, from what was promised."""

from collections.abc import Callable, Sequence
from uuid import UUID

from domain.events import (
    ChunkStored,
    Failed,
    FinalizePolicy,
    FinalizeRequested,
    NoteWritten,
    RecordingDeleted,
    RecordingEvent,
    RecordingOpened,
    RetryRequested,
    Stage,
    Stitched,
    Transcribed,
)
from domain.summary import RecordingSummary, evolve_summary
from service.processing import recording_prefix
from tests.simulation.clients import Client
from tests.simulation.world import World

Accuse = Callable[[str], None]


def check_everything(world: World, clients: Sequence[Client]) -> None:
    """Tell the world of everything that is not as it must be."""
    ids = list(world.log.by_recording)
    for recording_id in ids:
        history = world.log.history(recording_id)
        if not history:
            continue

        def accuse(what: str, recording_id: UUID = recording_id) -> None:
            world.accuse(f"{recording_id.hex[:6]}: {what}")

        check_life(history, accuse)
        check_blobs(world, recording_id, history, accuse)
    check_view(world)
    check_topic(world)
    for client in clients:
        check_promises(world, client)


def check_life(history: Sequence[RecordingEvent], accuse: Accuse) -> None:
    """One history, event by event, beside the plainest possible picture of what a recording may live through."""
    opened = history[0]
    if not isinstance(opened, RecordingOpened):
        return accuse("the first event is not its opening")
    chunks: dict[int, ChunkStored] = {}
    total: int | None = None
    done: list[Stage] = []
    failed: Failed | None = None
    deleted = False
    wanted = [Stage.STITCH, Stage.TRANSCRIBE, *([Stage.NOTE] if opened.note_wanted else [])]
    for event in history[1:]:
        complete = total is not None and set(chunks) == set(range(1, total + 1))
        due = wanted[len(done)] if complete and len(done) < len(wanted) else None
        if deleted:
            accuse(f"{event} came after its deletion")
        match event:
            case ChunkStored():
                if complete:
                    accuse(f"chunk {event.number} was taken after it was complete")
                if failed or event.at >= opened.expires_at:
                    accuse(f"chunk {event.number} was taken after its time")
                if event.number > opened.max_chunks or (total is not None and event.number > total):
                    accuse(f"chunk {event.number} was taken beyond the total")
                before = chunks.get(event.number)
                if before and before.blob_key == event.blob_key and before.sha256 == event.sha256:
                    accuse(f"chunk {event.number} was stored again with the same bytes")
                if before and before.blob_key and event.blob_key is None:
                    accuse(f"chunk {event.number} lost its bytes")
                chunks[event.number] = event
            case FinalizeRequested():
                if total is not None:
                    accuse("it was finalized twice")
                total = event.total_chunks
                if event.at >= opened.expires_at or failed:
                    accuse("it was finalized after its time")
                if max(chunks, default=0) > total:
                    accuse("it was finalized with chunks beyond the total")
                if opened.finalize_policy is FinalizePolicy.REJECT and set(chunks) != set(range(1, total + 1)):
                    accuse("it was finalized with chunks missing")
                if event.chunks_received != len(chunks):
                    accuse("its finalize counts other chunks than had arrived")
            case Stitched() | Transcribed() | NoteWritten():
                stage = {Stitched: Stage.STITCH, Transcribed: Stage.TRANSCRIBE, NoteWritten: Stage.NOTE}[type(event)]
                if stage is not due or failed:
                    accuse(f"{stage} ended when it was not due")
                if isinstance(event, Stitched) and event.chunk_count != total:
                    accuse("it was stitched of another number of chunks than declared")
                done.append(stage)
            case Failed(stage=Stage.UPLOAD):
                if complete or failed or event.at < opened.expires_at:
                    accuse("it expired when it must not")
                failed = event
            case Failed():
                if event.stage is not due or failed:
                    accuse(f"{event.stage} failed when it was not due")
                failed = event
            case RetryRequested():
                if failed is None or failed.stage is Stage.UPLOAD or failed.stage is not event.stage:
                    accuse(f"{event.stage} was retried without a failure of it")
                failed = None
            case RecordingDeleted():
                deleted = True
            case _:
                accuse(f"{event} cannot stand here")
    if not deleted and failed is None and done != wanted:
        accuse(f"it never came to its end: {[type(event).__name__ for event in history]}")


def check_blobs(world: World, recording_id: UUID, history: Sequence[RecordingEvent], accuse: Accuse) -> None:
    """What the history speaks of is stored, and made of the right bytes; what was deleted is gone."""
    if isinstance(history[-1], RecordingDeleted):
        left = {key for key in world.bodies if key.startswith(recording_prefix(recording_id))} - world.in_doubt
        if left:
            accuse(f"blobs are left after its deletion: {sorted(left)}")
        return
    chunks = {event.number: event for event in history if isinstance(event, ChunkStored)}
    audio = b""
    for number in sorted(chunks):
        key = chunks[number].blob_key
        if key is not None and key not in world.bodies:
            accuse(f"the bytes of chunk {number} are lost")
        audio += world.bodies.get(key or "", b"")
    made_of = {Stitched: audio, Transcribed: b"said: " + audio, NoteWritten: b"noted: said: " + audio}
    for event in history:
        if isinstance(event, Stitched | Transcribed | NoteWritten) and (
            world.bodies.get(event.blob_key) != made_of[type(event)]
        ):
            accuse(f"{type(event).__name__} is not made of the chunks in force")


def check_view(world: World) -> None:
    """The view equals a fresh fold of the log."""
    fold: dict[UUID, RecordingSummary] = {}
    for recorded in world.log.recorded():
        fold[recorded.recording_id] = evolve_summary(fold.get(recorded.recording_id), recorded.event)
    if world.summaries.position() != len(world.log.notifications):
        world.accuse(f"the view stands at {world.summaries.position()}, not at the log's end")
    if any(world.summaries.find(recording_id) != summary for recording_id, summary in fold.items()):
        world.accuse("the view is not a fold of the log")


def check_topic(world: World) -> None:
    """What was published is the log, once and in order."""
    if [message.position for message in world.topic.messages] != list(range(1, len(world.log.notifications) + 1)):
        world.accuse(f"the topic is not the log: {[message.position for message in world.topic.messages]}")
    elif world.topic.messages != world.log.recorded():
        world.accuse("the topic has other events than the log")


def check_promises(world: World, client: Client) -> None:
    """Nothing that a client was told turned out to be untrue."""
    history = world.log.history(client.id)
    stored = [
        (event.number, world.bodies.get(event.blob_key) if event.blob_key else None, event.sha256)
        for event in history
        if isinstance(event, ChunkStored)
    ]
    numbers = {number for number, _, _ in stored}
    import hashlib

    with_bytes = {(event.number, event.sha256) for event in history if isinstance(event, ChunkStored) and event.blob_key}
    for number, body in client.acknowledged:
        if number not in numbers:
            world.accuse(f"{client.name}: chunk {number} was acknowledged and is not in the history")
        elif body is not None and (number, hashlib.sha256(body).hexdigest()) not in with_bytes:
            world.accuse(f"{client.name}: the bytes of chunk {number} were acknowledged and are not in the history")
    if client.opened and not history:
        world.accuse(f"{client.name}: its opening was acknowledged and is not in the history")
    if client.deleted and not isinstance(history[-1], RecordingDeleted):
        world.accuse(f"{client.name}: its deletion was acknowledged and is not in the history")
    for answer in client.finalize_answers:
        finalized = next((event for event in history if isinstance(event, FinalizeRequested)), None)
        if answer != client.finalize_answers[0]:
            world.accuse(f"{client.name}: finalize was answered in two ways")
        if finalized is None or answer["chunks_received"] != finalized.chunks_received:
            world.accuse(f"{client.name}: finalize was answered with what is not in the history")

"""What must hold when a run is over, judged by what is stored and what clients were told."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from uuid import UUID

from domain.events import (
    ChunkStored,
    FinalizeRequested,
    NoteEdited,
    NoteWritten,
    RecordingDeleted,
    RecordingEvent,
    Stitched,
    Transcribed,
)
from domain.recording import fold
from domain.summary import RecordingSummary, evolve_summary
from service.application.blob_names import recording_prefix
from tests.tools.simulation.clients import Client
from tests.tools.simulation.plain_life import check_life
from tests.tools.simulation.stage_work import noted, said_in
from tests.tools.simulation.world import World


def check_everything(world: World, clients: Sequence[Client]) -> None:
    """Report everything that is not as it must be."""
    for recording_id, stored in list(world.log.by_recording.items()):
        if stored:
            check_life(world.log.history(recording_id), partial(_accuse, world, recording_id))
            check_blobs(world, recording_id)
    check_view(world)
    check_topic(world)
    for client in clients:
        check_promises(world, client)
        check_edits(world, client)


def _accuse(world: World, recording_id: UUID, what: str) -> None:
    world.accuse(f"{recording_id.hex[:6]}: {what}")


def check_blobs(world: World, recording_id: UUID) -> None:
    """What the history names is stored and made from the right bytes; what was deleted is gone."""
    history = world.log.history(recording_id)
    if isinstance(history[-1], RecordingDeleted):
        left = {key for key in world.bodies if key.startswith(recording_prefix(recording_id))} - world.in_doubt.keys()
        if left:
            _accuse(world, recording_id, f"blobs are left after its deletion: {sorted(left)}")
        return
    recording = fold(history)
    assert recording is not None
    needed = recording.blobs_in_use()
    if recording.keeps_chunks and any(key not in world.bodies for key in _chunk_keys(history).values() if key):
        _accuse(world, recording_id, "the bytes of a chunk are lost")
    for event in recording.edits.values():
        body = world.bodies.get(event.blob_key)
        if body is None or hashlib.sha256(body).hexdigest() != event.sha256:
            _accuse(world, recording_id, "the words of an edit are lost")
    for event, made in _made(world, history):
        is_lost = event.blob_key in needed and event.blob_key not in world.bodies
        if is_lost or world.bodies.ever.get(event.blob_key) != made:
            _accuse(world, recording_id, f"{type(event).__name__} is not made of the chunks in force")


def _chunk_keys(history: Sequence[RecordingEvent]) -> dict[int, str | None]:
    return {event.number: event.blob_key for event in history if isinstance(event, ChunkStored)}


def _made(
    world: World, history: Sequence[RecordingEvent]
) -> Iterator[tuple[Stitched | Transcribed | NoteWritten, bytes]]:
    """What each stage must have made of the chunks that were in force when the recording was last stitched."""
    keys: dict[int, str | None] = {}
    audio = said = b""
    for event in history:
        match event:
            case ChunkStored():
                keys[event.number] = event.blob_key
            case Stitched():
                left_out = {damage.chunk_number for damage in event.damage}
                used = [keys[number] for number in sorted(keys) if number not in left_out]
                audio = b"".join(world.bodies.ever.get(key, b"") for key in used if key is not None)
                yield event, audio
            case Transcribed():
                said = said_in(event.language, audio)
                yield event, said
            case NoteWritten():
                yield event, noted(said)


def check_view(world: World) -> None:
    """The view equals a fresh fold of the log."""
    fold: dict[UUID, RecordingSummary] = {}
    for recorded in world.log.recorded():
        fold[recorded.stream_id] = evolve_summary(fold.get(recorded.stream_id), recorded.event)
    if world.summaries.position() != len(world.log.notifications):
        world.accuse(f"the view stands at {world.summaries.position()}, not at the log's end")
    if any(world.summaries.find(recording_id) != summary for recording_id, summary in fold.items()):
        world.accuse("the view is not a fold of the log")


def check_topic(world: World) -> None:
    """What was published is the log, once and in order."""
    if world.topic.messages != world.log.recorded():
        world.accuse(f"the topic is not the log: {[message.position for message in world.topic.messages]}")


def check_promises(world: World, client: Client) -> None:
    """Nothing that a client was told turned out to be false."""
    history = world.log.history(client.id)
    stored = [event for event in history if isinstance(event, ChunkStored)]
    numbers = {chunk.number for chunk in stored}
    with_bytes = {(chunk.number, chunk.sha256) for chunk in stored if chunk.blob_key is not None}
    for number, body in client.acknowledged:
        if number not in numbers:
            world.accuse(f"{client.name}: chunk {number} was acknowledged and is not in the history")
        elif body is not None and (number, hashlib.sha256(body).hexdigest()) not in with_bytes:
            world.accuse(f"{client.name}: the bytes of chunk {number} were acknowledged and are not in the history")
    if [number for number, _ in client.appended] != list(range(1, len(client.appended) + 1)):
        world.accuse(f"{client.name}: chunks that were sent in order got the numbers {client.appended}")
    if client.opened and not history:
        world.accuse(f"{client.name}: its opening was acknowledged and is not in the history")
    if client.deleted and not isinstance(history[-1], RecordingDeleted):
        world.accuse(f"{client.name}: its deletion was acknowledged and is not in the history")
    finalized = next((event for event in history if isinstance(event, FinalizeRequested)), None)
    for answer in client.finalize_answers:
        if answer != client.finalize_answers[0]:
            world.accuse(f"{client.name}: finalize was answered in two ways")
        if finalized is None or answer["chunks_received"] != finalized.chunks_received:
            world.accuse(f"{client.name}: finalize was answered with what is not in the history")


def check_edits(world: World, client: Client) -> None:
    """Every edit that a client was told is stored has happened."""
    edited = {(event.author, event.sha256) for event in world.log.history(client.id) if isinstance(event, NoteEdited)}
    if not edited.issuperset(client.edits):
        world.accuse(f"{client.name}: an edit was acknowledged and is not in the history")

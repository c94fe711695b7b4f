"""What a listening process does: it decodes one recording, chunk by chunk as they come, and keeps its state in between.

Jobs of one process run one after another. A process that is replaced has lost its state, and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.audio.as_it_came import CameWhole
from adapters.audio.chunk_bytes import READ_SIZE_BYTES
from adapters.speech.cutting import Span
from adapters.speech.listening import Listening
from adapters.speech.parts import digest_of
from service.application.part_orders import CutPart, write_sound
from service.application.worker_store import store_at


@dataclass(frozen=True, slots=True)
class ListenOrder:
    """Further chunks of one recording, in order. `begins`: nothing came before them. `name`: tells recordings apart."""

    blob_store_url: str
    name: str
    begins: bool
    chunk_keys: Sequence[str]
    parts_before: int
    scratch_dir: Path


@dataclass(frozen=True, slots=True)
class Listened:
    """`parts`: those that have become whole, each with the index of the order's chunk at which it did."""

    parts: Sequence[tuple[CutPart, int]]
    has_ended: bool


class NotListening(Exception):
    """The process does not listen to this recording: it has another one's state, or lost its own."""


class _State:
    name: str | None = None
    listening: Listening | None = None


_state = _State()


def listen(order: ListenOrder) -> Listened:
    """In a listening process: decode what has come, and put the sound of whole parts into files.

    Raises: NotListening; BlobNotFound; StorageFull, StorageUnavailable.
    """
    listening = _begun(order.name) if order.begins else _state.listening
    if listening is None or _state.name != order.name:
        raise NotListening
    store, parts, number = store_at(order.blob_store_url), [], order.parts_before
    for index, key in enumerate(order.chunk_keys):
        with store.open(key) as reader:
            while not listening.has_ended and (block := reader.read(READ_SIZE_BYTES)):
                for span in listening.hear(block):
                    number += 1
                    parts.append((_cut_part(number, span, order.scratch_dir), index))
    return Listened(parts, listening.has_ended)


@dataclass(frozen=True, slots=True)
class FinishOrder:
    """No more chunks come of the recording that is listened to."""

    name: str
    parts_before: int
    scratch_dir: Path


def finish_listening(order: FinishOrder) -> tuple[CameWhole, list[CutPart]] | None:
    """In a listening process: what the recording is, and its last parts. None if that is not sure.

    Raises: NotListening; StorageFull, StorageUnavailable.
    """
    if _state.listening is None or _state.name != order.name:
        raise NotListening
    finished = _state.listening.finish()
    _state.name = _state.listening = None
    if finished is None:
        return None
    came, spans = finished
    numbered = enumerate(spans, start=order.parts_before + 1)
    return came, [_cut_part(number, span, order.scratch_dir) for number, span in numbered]


def _cut_part(number: int, span: Span, scratch_dir: Path) -> CutPart:
    sound = write_sound(scratch_dir / f"part-{number}", span)
    return CutPart(number, span.start_sample, len(span.samples), digest_of(span), sound, None)


def _begun(name: str) -> Listening:
    if _state.listening is not None:
        _state.listening.end()
    _state.name, _state.listening = name, Listening()
    return _state.listening

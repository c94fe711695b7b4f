"""How a segment file is laid out: a file header, then records one after another, then zeros or the file's end.

A record is a header, the blob's key, the body. The CRC32C in the header covers key and body. The header has one of its
own, so that a torn record can be told from a whole one without knowing its content. Only the state is outside both:
erasing a record changes that one byte, and the bytes after the header.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

import google_crc32c

from adapters.blobs.port import MAX_KEY_LENGTH

FILE_HEADER = b"tapedeck/seg/1\r\n"

LIVE, ERASED = 1, 2
_MAGIC = b"TDrc"
_LEAD = Struct("<4sB3sI")  # magic, state, zeros, CRC32C of the facts
_FACTS = Struct("<HIQ16s")  # length of the key, CRC32C of key and body, length of the body, recording
HEADER_BYTES = _LEAD.size + _FACTS.size
STATE_OFFSET = 4
_ZEROS = bytes(3)
_READ_BYTES = 512 * 1024
_NO_RECORDING = bytes(16)
_RECORDING = re.compile(r"(?:^|/)([0-9a-f]{32})/")


@dataclass(frozen=True, slots=True)
class Record:
    """A record as its header describes it. Offsets count from the start of the file; an erased record has no key."""

    offset: int
    state: int
    key: str
    key_bytes: int
    body_bytes: int
    checksum: int

    @property
    def body_offset(self) -> int:
        return self.offset + HEADER_BYTES + self.key_bytes

    @property
    def end(self) -> int:
        return self.body_offset + self.body_bytes


def record_head(key: str, pieces: Sequence[bytes], size_bytes: int) -> bytes:
    """What precedes the body, which consists of these pieces: header and key."""
    named = key.encode("ascii")
    checksum = google_crc32c.value(named)
    for piece in pieces:
        checksum = google_crc32c.extend(checksum, piece)
    facts = _FACTS.pack(len(named), checksum, size_bytes, _recording_of(key))
    return _LEAD.pack(_MAGIC, LIVE, _ZEROS, google_crc32c.value(facts)) + facts + named


def _recording_of(key: str) -> bytes:
    """The id of the recording in the key, for reading segments without anything else."""
    found = _RECORDING.search(key)
    return bytes.fromhex(found[1]) if found else _NO_RECORDING


def record_at(descriptor: int, offset: int) -> Record | None:
    """The record that begins at `offset`, by its header alone; None if none does."""
    head = os.pread(descriptor, HEADER_BYTES + MAX_KEY_LENGTH, offset)
    if len(head) < HEADER_BYTES:
        return None
    magic, state, zeros, facts_checksum = _LEAD.unpack_from(head)
    facts = head[_LEAD.size : HEADER_BYTES]
    if (magic, zeros) != (_MAGIC, _ZEROS) or state not in (LIVE, ERASED):
        return None
    if google_crc32c.value(facts) != facts_checksum:
        return None
    key_bytes, checksum, body_bytes, _ = _FACTS.unpack(facts)
    named = head[HEADER_BYTES : HEADER_BYTES + key_bytes]
    if len(named) < key_bytes or (state == LIVE and not named.isascii()):
        return None
    key = named.decode("ascii") if state == LIVE else ""
    return Record(offset, state, key, key_bytes, body_bytes, checksum)


def records(descriptor: int, start: int) -> Iterator[Record]:
    """Every record from `start` on, by headers alone, until no header follows."""
    offset = max(start, len(FILE_HEADER))
    while (record := record_at(descriptor, offset)) is not None:
        yield record
        offset = record.end


def is_whole(descriptor: int, record: Record) -> bool:
    """Whether a record's bytes are those that were written. An erased one has none that could be wrong."""
    if record.state == ERASED:
        return True
    checksum, offset, left = 0, record.offset + HEADER_BYTES, record.key_bytes + record.body_bytes
    while left:
        block = os.pread(descriptor, min(left, _READ_BYTES), offset)
        if not block:
            return False
        checksum = google_crc32c.extend(checksum, block)
        offset += len(block)
        left -= len(block)
    return checksum == record.checksum

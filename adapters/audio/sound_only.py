"""Files as a decoder gets to see them: without notes, tags and pictures that are long.

No sound needs them, and FFmpeg reads all of them into memory, copies them, makes a stream of each picture and decodes
it, and compares each tag with all before it: ten megabytes of tags take it minutes. Small ones stay as they are.
"""

# ruff: noqa: PLR2004 - the numbers here are the formats' own, as their specifications write them

import io
from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO, Literal

from adapters.audio import flac, mpeg_frames
from adapters.audio.chunk_bytes import ChunkRun, Piece
from adapters.audio.container import Container
from adapters.audio.errors import NotAudio
from adapters.audio.notes_in_boxes import matroska_notes, mp4_notes
from adapters.audio.notes_in_ogg import ogg_notes
from adapters.audio.patches import LONGEST_NOTE_BYTES, Patch, TooManyParts
from adapters.audio.wav import read_wave, wave_header
from adapters.audio.whole_files import WholeFile

_MOST_TAGS = _MOST_BLOCKS = _MOST_CHUNKS = 1000
_FLAC_PADDING = 1
_FLAC_NOTES = (4, 5, 6)
"""Comments, a cue sheet, a picture (RFC 9639, 8.1)."""
_AIFF_SOUND = (b"COMM", b"SSND", b"FVER", b"wave", b"COMP")


def sound_only(file: WholeFile) -> ChunkRun:
    """The file without its long notes; where a WAV's header is wrong about its sound, under a header that is right.

    Raises: NotAudio for a file of nothing but tags, or with so many parts without sound that no recorder has written
    it; OSError.
    """
    run = file.run
    try:
        with run.open() as reader:
            if file.container is Container.WAV:
                return _wave(run, reader)
            patches = list(_notes(file.container, reader, run.size_bytes))
    except TooManyParts as error:
        raise NotAudio(chunk_number=run.first_number, detail=str(error)) from None
    sound = _patched(run, patches) if patches else run
    if not sound.size_bytes:
        raise NotAudio(chunk_number=run.first_number, detail="is damaged: there is no sound behind its tags")
    return sound


def _patched(run: ChunkRun, patches: Iterable[Patch]) -> ChunkRun:
    pieces: list[Piece] = []
    end = 0
    for span, replacement in sorted(patches, key=lambda patch: patch[0].start):
        pieces += run.part(end, span.start).pieces
        if replacement:
            pieces.append(_piece(replacement, next(iter(run.numbers_in(span)), None)))
        end = span.stop
    return ChunkRun((*pieces, *run.part(end, run.size_bytes).pieces))


def _piece(content: bytes, number: int | None) -> Piece:
    return Piece(partial(io.BytesIO, content), number, 0, len(content))


def _wave(run: ChunkRun, reader: BinaryIO) -> ChunkRun:
    wave = read_wave(reader, run.size_bytes)
    if wave is None:
        for _ in _chunks(reader, run.size_bytes, "little", head_size=8):
            pass  # it may be that there are too many of them, which this tells
        return run
    end = wave.data_start + wave.data_bytes
    if wave.sizes_are_right and max(wave.data_start, run.size_bytes - end) <= LONGEST_NOTE_BYTES:
        return run
    header = _piece(wave_header(wave.format_chunk, wave.data_bytes), run.first_number)
    return ChunkRun((header, *run.part(wave.data_start, end).pieces))


def _notes(container: Container, reader: BinaryIO, size_bytes: int) -> Iterator[Patch]:
    match container:
        case Container.MP4:
            return mp4_notes(reader, size_bytes)
        case Container.MATROSKA:
            return matroska_notes(reader, size_bytes)
        case Container.OGG:
            return ogg_notes(reader)
        case Container.MP3 | Container.ADTS | Container.FLAC:
            return _tags_and_blocks(reader, is_flac=container is Container.FLAC)
        case Container.AIFF:
            return _aiff_notes(reader, size_bytes)
        case Container.CAF:
            return _caf_notes(reader, size_bytes)
        case Container.AVI:
            return _avi_notes(reader, size_bytes)
        case _:
            return iter(())


def _tags_and_blocks(reader: BinaryIO, *, is_flac: bool) -> Iterator[Patch]:
    """ID3v2 tags in front, which are left out, and FLAC's blocks of notes, which become padding."""
    end = 0
    for _ in range(_MOST_TAGS):
        reader.seek(end)
        size = mpeg_frames.size_of_id3(reader.read(10))
        if not size:
            break
        end += size
    else:
        raise TooManyParts("tags")
    if end > LONGEST_NOTE_BYTES:
        yield range(end), b""
    if is_flac:
        yield from _flac_notes(reader, end + len(flac.MAGIC))


def _flac_notes(reader: BinaryIO, position: int) -> Iterator[Patch]:
    for _ in range(_MOST_BLOCKS):
        reader.seek(position)
        head = reader.read(4)
        if len(head) < 4:
            return
        size = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F in _FLAC_NOTES and size > LONGEST_NOTE_BYTES:
            yield range(position, position + 1), bytes([head[0] & 0x80 | _FLAC_PADDING])
        if head[0] & 0x80:
            return
        position += len(head) + size
    raise TooManyParts("blocks of metadata")


def _aiff_notes(reader: BinaryIO, size_bytes: int) -> Iterator[Patch]:
    for name, span in _chunks(reader, size_bytes, "big", head_size=8):
        if name not in _AIFF_SOUND and len(span) > LONGEST_NOTE_BYTES:
            yield range(span.start, span.start + 4), b"JUNK"


def _caf_notes(reader: BinaryIO, size_bytes: int) -> Iterator[Patch]:
    for name, span in _chunks(reader, size_bytes, "big", head_size=12, start=8):
        if name == b"info" and len(span) > LONGEST_NOTE_BYTES:
            yield range(span.start, span.start + 4), b"free"


def _avi_notes(reader: BinaryIO, size_bytes: int) -> Iterator[Patch]:
    """Only before the frames: FFmpeg looks for none behind them."""
    for name, span in _chunks(reader, size_bytes, "little", head_size=8):
        reader.seek(span.start + 8)
        kind = reader.read(4)
        if name == b"LIST" and kind == b"movi":
            return
        if name == b"LIST" and kind == b"INFO" and len(span) > LONGEST_NOTE_BYTES:
            yield range(span.start, span.start + 4), b"JUNK"


def _chunks(
    reader: BinaryIO, size_bytes: int, order: Literal["big", "little"], *, head_size: int, start: int = 12
) -> Iterator[tuple[bytes, range]]:
    """The names and places of chunks as RIFF, AIFF and CAF have them. Only those with heads of 8 are padded."""
    position = start
    for _ in range(_MOST_CHUNKS):
        reader.seek(position)
        head = reader.read(head_size)
        if len(head) < head_size:
            return
        size = int.from_bytes(head[4:], order)
        end = min(position + head_size + size, size_bytes)
        yield head[:4], range(position, end)
        position = end + (size % 2 if head_size == 8 else 0)
    raise TooManyParts("chunks")

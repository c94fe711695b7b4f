"""All bytes of all chunks, and where in them files begin."""

import bisect
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cached_property
from itertools import islice
from typing import BinaryIO, Generic, TypeVar

from adapters.audio import ac3, mpeg_frames, mpeg_ts, nested_boxes, ogg
from adapters.audio.budget import A_SEARCH, Budget
from adapters.audio.chunk_bytes import ChunkReader, ChunkRun, part_of
from adapters.audio.container import (
    MAGICS,
    Container,
    begins_wavpack,
    container_by_header,
    container_of,
    middle_of,
    size_of_tags,
)
from adapters.audio.signatures import BEGINNING_SIZE, format_not_read, not_audio_by_its_beginning
from adapters.audio.wav import SampleFormat, read_wave, resembles_sound

_SEARCHED_AT_FIRST, _READ_AT_ONCE = 1 << 9, 1 << 17
_LONGEST_MAGIC = 64
_HEAD_SIZE = 4096
_JUDGED_BYTES = 1 << 16
_FRAMES_OF_A_FILE = 40
_FEWEST_ZEROS = 32
_BOXES_THAT_CONVINCE = 2


_T = TypeVar("_T")


class Frames(Enum):
    """Which bare frames at a chunk's start begin a file, though they have no header."""

    OF_A_FILE = 1
    """As frames inside another file never stand: with a tag or a note in front, or nothing else in the chunk."""
    ANY = 2


class _Forwards(Generic[_T]):
    """A search forwards that does not search again what it has searched: between, it would find the same."""

    def __init__(self, search: Callable[[int], _T | None]) -> None:
        self._search = search
        self._since: int | None = None
        self._found: _T | None = None

    def of(self, position: int, place: Callable[[_T], int]) -> _T | None:
        """What is found from `position` on; `place` says where that is."""
        is_known = self._since is not None and self._since <= position
        if not is_known or (self._found is not None and place(self._found) < position):
            self._since, self._found = position, self._search(position)
        return self._found


class Body:
    """The bytes of a recording's chunks, one after another, with every chunk's edges."""

    def __init__(self, run: ChunkRun, reader: ChunkReader) -> None:
        self.run = run
        self.size_bytes = run.size_bytes
        self._reader = reader
        self.budget = Budget.of(self.size_bytes)
        """For all that is tried in vain in these bytes."""
        self._next_frame = _Forwards(lambda at: mpeg_frames.next_frame(self.part(0), at, self.size_bytes, self.budget))
        self._next_parts: dict[bytes, _Forwards[int]] = {}

    def read(self, position: int, size: int) -> bytes:
        self._reader.seek(position)
        return self._reader.read(size)

    def part(self, start: int, stop: int | None = None) -> BinaryIO:
        """A reader of what is between `start` and `stop`, or the end. It counts from `start`."""
        return part_of(self._reader, start, (self.size_bytes if stop is None else stop) - start)

    def is_edge(self, position: int) -> bool:
        """Whether a chunk begins here, or the last one ends."""
        edges = self.run.edges
        return edges[bisect.bisect_left(edges, position) : bisect.bisect_left(edges, position) + 1] == (position,)

    def next_edge(self, position: int) -> int:
        """The first edge after `position`."""
        edges = self.run.edges
        return edges[min(bisect.bisect_right(edges, position), len(edges) - 1)]

    def edges_between(self, start: int, stop: int) -> Iterator[int]:
        """The edges after `start` and before `stop`."""
        edges = self.run.edges
        for index in range(bisect.bisect_right(edges, start), bisect.bisect_left(edges, stop)):
            yield edges[index]

    def container_at(self, position: int) -> Container | None:
        """The container of a file that begins here, or whose first frame is in the rest of this chunk."""
        searched = min(self.next_edge(position) - position, mpeg_frames.SEARCHED_FOR_A_BEGINNING)
        return container_of(self.part(position), self.size_bytes - position, self.budget, search_bytes=searched)

    def begins_file(self, position: int) -> bool:
        """Whether a file begins here, with a header that sound is not mistaken for."""
        if position >= self.size_bytes:
            return False
        found = container_by_header(self.part(position), self.size_bytes - position)
        if found is Container.MP4:
            # Any box at the top may begin an old QuickTime file, and a slice, too.
            return self.read(position + 4, 4) == b"ftyp"
        if found is Container.WAVPACK:
            return begins_wavpack(self.read(position, 32))
        return found is not None or mpeg_ts.begins_stream(self.read(position, _HEAD_SIZE))

    def begins_any_file(self, position: int, *, other_than: Container | None = None) -> bool:
        """Whether a file begins here; bare frames count, too, but for those of one kind."""
        if self.begins_file(position):
            return True
        if position >= self.size_bytes:
            return False
        found = container_of(self.part(position), self.size_bytes - position, search_bytes=0)
        return found not in (None, Container.MP4, Container.MPEG_TS, other_than)

    def begins_frames(self, position: int) -> bool:
        """Whether a file of bare MPEG frames begins here, told from frames inside a file of another kind.

        It begins with a tag or an encoder's note, or there is nothing but many frames, or frames up to the chunk's end.
        Those of Dolby are inside other files never next to one another.
        """
        edge = self.next_edge(position)
        part, size = self.part(position, edge), edge - position
        tags = size_of_tags(part)
        if 0 < tags < size or tags == 0:
            in_a_row = mpeg_frames.FRAMES_THAT_CONVINCE if tags else _FRAMES_OF_A_FILE
            frame = mpeg_frames.first_frame(part, tags, size, in_a_row=in_a_row)
            if frame is not None or self._begins_with_note(position):
                return True
        return ac3.container_name(self.read(position, _HEAD_SIZE), self.size_bytes - position) is not None

    def _begins_with_note(self, position: int) -> bool:
        if mpeg_frames.frame_of(self.read(position, 7)) is None:
            return False
        part = self.part(position)
        frame = mpeg_frames.first_frame(part, 0, self.size_bytes - position)
        return frame is not None and mpeg_frames.is_xing(self.read(position, frame.size_bytes), frame.format)

    @cached_property
    def _edges_that_begin_files(self) -> tuple[int, ...]:
        return tuple(edge for edge in self.run.edges if self.begins_file(edge))

    def first_edge_that_begins_file(self, start: int, stop: int) -> int | None:
        """The first edge after `start` and before `stop` at which a file begins."""
        edges = self._edges_that_begin_files
        index = bisect.bisect_right(edges, start)
        return edges[index] if index < len(edges) and edges[index] < stop else None

    @cached_property
    def _only_one_begins(self) -> bool:
        """Whether no chunk but the first that begins a file does."""
        return sum(self.begins_any_file(edge) for edge in self.run.edges) <= 1

    def names_something(self, position: int) -> bool:
        """Whether what is here shows that it is no sound, or sound of a kind of its own."""
        head = self.read(position, BEGINNING_SIZE)
        return bool(not_audio_by_its_beginning(head) or format_not_read(head) or middle_of(head))

    def holds_zeros(self, edge: int) -> bool:
        """Whether the chunk that begins here holds nothing but zeros, and many of them."""
        position, stop = edge, self.next_edge(edge)
        if stop - position < _FEWEST_ZEROS or any(self.read(position, _FEWEST_ZEROS)):
            return False
        while position < stop:
            block = self.read(position, min(_READ_AT_ONCE, stop - position))
            if block.count(0) != len(block):
                return False
            position += len(block)
        return True

    def end_of_bare_samples(self, form: SampleFormat, stop: int) -> int:
        """Where a WAV file ends that says that it ends at `stop`, but may go on without saying so.

        Some recorders send a whole WAV as their first chunk and bare samples in all others. So chunks count that begin
        no file and are nothing else; if there are other files, only those that resemble sound.
        """
        end = position = stop
        while position < self.size_bytes and self.is_edge(position):
            edge = self.next_edge(position)
            if self.begins_any_file(position) or self.names_something(position):
                break
            block = self.read(position, min(_JUDGED_BYTES, edge - position))
            if block.count(0) == len(block):
                position = edge  # silence, if more sound follows
                continue
            if not self._only_one_begins and not resembles_sound(block, form):
                break
            end = position = edge
        return end

    def next_frame(self, position: int) -> mpeg_frames.Frame | None:
        """The first frame at `position` or after it that enough others follow."""
        return self._next_frame.of(position, lambda frame: frame.position)

    def next_part(self, position: int, magic: bytes, offset: int, is_it: Callable[[bytes], bool]) -> int | None:
        """Where the first part begins, at `position` or after it, with `magic` at this offset, and is what it seems.

        For one `magic`, it must always be the same offset and the same question.
        """
        if magic not in self._next_parts:
            self._next_parts[magic] = _Forwards(lambda at: self._part_after(at, magic, offset, is_it))
        return self._next_parts[magic].of(position, lambda found: found)

    def _part_after(self, position: int, magic: bytes, offset: int, is_it: Callable[[bytes], bool]) -> int | None:
        searched = _SEARCHED_AT_FIRST
        while position < self.size_bytes:
            block = self.read(position, searched + _LONGEST_MAGIC)
            at = block.find(magic, offset)
            while 0 <= at < searched + offset:
                if is_it(block[at - offset : at + 32]):
                    return position + at - offset
                at = block.find(magic, at + 1)
            position += searched
            searched = min(4 * searched, _READ_AT_ONCE)
        return None

    def next_beginning(
        self, start: int, stop: int, *, frames: Frames = Frames.OF_A_FILE, current: Container | None = None
    ) -> int | None:
        """Where the next file begins at `start` or after it, before `stop`: at a chunk's edge or anywhere.

        `current`: the kind of bare frames that the file before consists of.
        When the budget is spent, only at edges.
        """
        position, searched = start, _SEARCHED_AT_FIRST
        while position < stop:
            searched = min(searched, stop - position)
            block = self.read(position, searched + _LONGEST_MAGIC)
            for candidate in self._candidates(block, position, position + searched):
                is_edge = self.is_edge(candidate)
                if self.budget.is_spent and not is_edge:
                    continue
                if self._is_beginning(candidate, frames, current):
                    return candidate
                if not is_edge:
                    self.budget.spend(A_SEARCH)
            position += searched
            searched = min(4 * searched, _READ_AT_ONCE)
        return None

    def _is_beginning(self, position: int, frames: Frames, current: Container | None) -> bool:
        if not self.is_edge(position):
            return self._begins_marked_frames(position) or (self.begins_file(position) and self._is_no_chance(position))
        return (
            self.begins_file(position)
            or (frames is Frames.ANY and self.begins_any_file(position, other_than=current))
            or (frames is Frames.OF_A_FILE and self.begins_frames(position))
        )

    def _begins_marked_frames(self, position: int) -> bool:
        is_tagged = self.read(position, 3) == b"ID3"
        return self.begins_any_file(position) if is_tagged else self._begins_with_note(position)

    def _candidates(self, block: bytes, start: int, stop: int) -> list[int]:
        found = {edge for edge in self.edges_between(start - 1, stop) if edge < self.size_bytes}
        for magic, offset in MAGICS:
            at = block.find(magic)
            while at >= 0:
                if start <= start + at - offset < stop:
                    found.add(start + at - offset)
                at = block.find(magic, at + 1)
        return sorted(found)

    def _is_no_chance(self, position: int) -> bool:
        """Whether more than the first bytes show that a file begins here."""
        part = self.part(position)
        size_bytes = self.size_bytes - position
        match container_by_header(part, size_bytes):
            case Container.WAV:
                wave = read_wave(part, size_bytes, header_only=True)
                return wave is not None and wave.format.is_believable
            case Container.OGG:
                return ogg.page_at(part, 0, self.budget) is not None
            case Container.MP4:
                boxes = nested_boxes.mp4_boxes(part, size_bytes)
                return (
                    sum(box.name in nested_boxes.TOP_BOXES for box in islice(boxes, _BOXES_THAT_CONVINCE))
                    == _BOXES_THAT_CONVINCE
                )
            case _:
                return True

"""Finds the files that chunks make up: each chunk a whole file, or slices of one file, several files, or some of all.

Only the bytes count. A file begins where a file's header is. Two things can look like that and are not: sound that
happens to read like a header, and a header inside a file (a second stream's in Ogg, a tag's in MP3). So where a
container says where its file ends, that counts for more than what seems to begin in it; see `file_ends`.

A chunk that is no part of any file is left out and told of: the others are still worth having.
"""

import bisect
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

from adapters.audio import flac, nested_boxes, ogg
from adapters.audio.body import Body
from adapters.audio.budget import A_LOOK, Budget
from adapters.audio.chunk_bytes import ChunkRun, MeasuredChunks
from adapters.audio.container import Container, first_frame_of, format_not_read, middle_of, not_audio_by_its_beginning
from adapters.audio.damage import Damage, DamageReason
from adapters.audio.errors import NotAudio, UnsupportedAudio
from adapters.audio.file_ends import Walk, has_blocks, walk
from adapters.audio.signatures import BEGINNING_SIZE
from adapters.audio.wav import read_wave

_SUPPORTED = "send it as WAV, FLAC, MP3, M4A, Ogg or WebM"
_HOLDS_ZEROS = "holds nothing but zeros"
_NO_AUDIO = "is not audio"
_EMPTY = "is empty"
_MANY_FILES = "holds too many files"
_FREE_FILES, _BYTES_PER_FILE = 1_000, 1 << 14
"""Files begin at a chunk's start, however many chunks there are; inside chunks, only so many are looked for."""

_READ_AT_ONCE = 1 << 17
_MOST_PATCHES = 10_000
_MOST_TRIES = 1000
_FLAC_SYNC = re.compile(rb"\xff[\xf8\xf9][\x10-\xff].", re.DOTALL)
_LARGEST_INDEX = 1 << 20
_FRAMES_THAT_CONVINCE = 3

_WALKED_BY_FRAMES = (Container.OGG, Container.FLAC, Container.MP3, Container.ADTS, Container.MPEG_TS)
_NEVER_ZEROS = (
    Container.AMR,
    Container.AC3,
    Container.EAC3,
    Container.WAVPACK,
    Container.TTA,
    Container.APE,
    Container.FLV,
    Container.MPEG_PS,
)
"""No stretch of their sound is nothing but zeros."""

_CUT_OUT_OF = (*_WALKED_BY_FRAMES, Container.AMR, Container.AC3, Container.EAC3, Container.WAVPACK)
"""They go on behind damage wherever that is; in all others, what comes later is found by its position."""

_WITHOUT_HOLES = (Container.OGG, Container.MP3, Container.ADTS)
"""Their frames, pages and tags follow one another without a byte between."""

_SMALLEST_HOLE = 64
_ZEROS = bytes(_SMALLEST_HOLE)
_HAS_HOLES = "is damaged: some of its bytes are no sound"
_MAY_HAVE_HOLES = "or the one next to it is damaged: some of its bytes are no sound"
_LEFT_OUT = {
    _HAS_HOLES: "they were left out",
    _MAY_HAVE_HOLES: "they were left out",
    _MANY_FILES: "the last ones were left out",
}

_BARE_SAMPLES = (
    b"sowt",
    b"twos",
    b"in24",
    b"in32",
    b"raw ",
    b"lpcm",
    b"ipcm",
    b"fpcm",
    b"fl32",
    b"NONE",
    b"ulaw",
    b"alaw",
)


@dataclass(frozen=True, slots=True)
class WholeFile:
    container: Container
    run: ChunkRun


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files, in order, and the chunks that are no part of any of them, in order of their numbers."""

    files: list[WholeFile]
    damage: tuple[Damage, ...] = ()


def whole_files(measured: MeasuredChunks) -> FoundFiles:
    """The files, in order, and what is no part of any of them.

    Raises: NotAudio, UnsupportedAudio with the number of the chunk that tells most, if there is no file at all.
    """
    if not measured.pieces:
        raise NotAudio(chunk_number=None, detail="has no chunks")
    empty = {number: _Problem(number, "not_audio", _EMPTY) for number in _empty_ones(measured)}
    run = ChunkRun.of(measured)
    search = _searched(run, empty)
    if search.defects and search.guilty:
        # What was put between a file's slices moved all that comes behind it; what took the place of a slice did not.
        known = {number: search.problems[number] for number in search.guilty}
        without_them = _searched(run.without(search.guilty), empty | known)
        search = search if without_them.defects else without_them
    if not search.files:
        raise _most_telling(search.problems)
    return FoundFiles(search.files, tuple(search.problems[number].damage for number in sorted(search.problems)))


def _empty_ones(measured: MeasuredChunks) -> Iterator[int]:
    return (piece.number or 1 for piece in measured.pieces if not piece.size_bytes)


def _searched(run: ChunkRun, problems: "dict[int, _Problem]") -> "_Search":
    with run.open() as reader:
        search = _Search(Body(run, reader), problems)
        search.run()
    return search


@dataclass(frozen=True, slots=True)
class _Problem:
    number: int
    reason: DamageReason
    detail: str

    @property
    def damage(self) -> Damage:
        left_out = _LEFT_OUT.get(self.detail, "it was left out")
        return Damage(
            chunk_number=self.number, reason=self.reason, message=f"Chunk {self.number} {self.detail}; {left_out}."
        )


def _most_telling(problems: dict[int, _Problem]) -> NotAudio | UnsupportedAudio:
    in_order = [problems[number] for number in sorted(problems)]
    told = [problem for problem in in_order if problem.detail not in (_EMPTY, _HOLDS_ZEROS, _NO_AUDIO)]
    problem = (told or in_order)[0]
    kind = UnsupportedAudio if problem.reason == "unsupported_audio" else NotAudio
    return kind(chunk_number=problem.number, detail=problem.detail)


class _Search:
    """Goes through a body once, from file to file."""

    def __init__(self, body: Body, problems: dict[int, _Problem]) -> None:
        self._body = body
        self.files: list[WholeFile] = []
        self.problems = dict(problems)
        self.guilty: set[int] = set()
        """Chunks that are certainly nothing of the files that they are in."""
        self.defects = 0
        """How many times something was not where a file says that it is."""
        self._missing_beginning: str | None = None

    def run(self) -> None:
        position = 0
        left_inside = _FREE_FILES + self._body.size_bytes // _BYTES_PER_FILE
        while position < self._body.size_bytes:
            is_inside = not self._body.is_edge(position)
            left_inside -= is_inside
            if is_inside and left_inside < 0:
                position = self._pass_over_many(position)
                continue
            container = self._body.container_at(position)
            position = self._pass_over(position) if container is None else self._take(container, position)

    def _pass_over_many(self, position: int) -> int:
        """Leave out the rest of a chunk that holds too many files."""
        edge = self._body.next_edge(position)
        for number in self._body.run.numbers_in(range(position, edge)):
            self.report(number, "damaged", _MANY_FILES)
        return edge

    def report(self, number: int, reason: DamageReason, detail: str) -> None:
        self.problems.setdefault(number, _Problem(number, reason, detail))

    def _take(self, container: Container, start: int) -> int:
        """Take the file that begins at `start`. Returns where it ends."""
        self._missing_beginning = None
        edges = self._body.run.edges
        touched = _Touched(self._body.run)
        patches: list[tuple[range, bytes]] = []
        end = max(_walked(walk(self._body, container, start), touched, patches), start + 1)
        self.defects += len(patches)
        if container is Container.MP4 and not self._has_index(start, end):
            self.defects += 1
            self._report_lost_mp4(start, end)
            return end
        first_frame = self._first_frame(container, start, end)
        is_tagged = self._body.read(start, 3) == b"ID3"
        first_byte = start if is_tagged else first_frame
        run = self._body.run.part(first_byte, end)
        run = run.patched((gap.start - first_byte, header) for gap, header in patches if header)
        dropped = set[int]()
        coded = _CodedSound(run)
        for group in touched.gaps(range(bisect.bisect_left(edges, start + 1), bisect.bisect_left(edges, end))):
            dropped |= self._report_group(group, end, follows=group[0] > min(touched.indexes, default=group[0]))
        for index in range(bisect.bisect_left(edges, start + 1), bisect.bisect_right(edges, end) - 1):
            if index in touched.indexes and self._is_foreign(container, coded, index):
                dropped.add(self._number(index))
        holes = (hole for hole in touched.holes if container in _WITHOUT_HOLES and hole.start >= first_frame)
        for hole in chain(holes, (gap for gap, _ in patches)):
            self._report_hole(hole)
        self.defects += container is Container.WAV and bool(self.guilty) and not _is_as_long_as_it_says(run)
        self.files.append(WholeFile(container, run.without(dropped) if container in _CUT_OUT_OF else run))
        return end

    def _report_group(self, group: list[int], end: int, *, follows: bool) -> set[int]:
        """Tell of chunks next to one another that have nothing in them of the file that they are in.

        If some of them are certainly none of its, the others are only lost because of those. Returns what is to be cut
        out.
        """
        edges = self._body.run.edges
        guilty = [index for index in group if self._is_certainly_none(index)]
        self.guilty.update(self._number(index) for index in guilty)
        numbers = [self._number(index) for index in group]
        an_empty_one_is = any(number in self.problems for number in range(numbers[0] - 1, numbers[-1] + 2))
        for index in guilty or ([] if an_empty_one_is else group):
            if edges[index + 1] > end:
                continue  # the next file begins in it
            reason, detail = self._what_is_at(edges[index])
            if detail == _NO_AUDIO and len(group) > 1:
                reason, detail = "damaged", "cannot be used, because it or a chunk next to it is damaged"
            elif detail == _NO_AUDIO and follows:
                detail = "is not audio, and does not continue the file before it"
            self.report(self._number(index), reason, detail)
        return {self._number(index) for index in guilty or group}

    def _report_hole(self, hole: range) -> None:
        """Tell of the chunks that bytes are in which are between a file's frames, and none of them.

        Frames are lost with their neighbours. So a hole is told of only where it is certain or likely to come from: a
        chunk that is told of already, one with zeros in it, or else all that it is in.
        """
        if len(hole) <= _SMALLEST_HOLE:
            return
        run = self._body.run
        parts = dict.fromkeys(run.numbers_in(hole), 0)
        if parts.keys() & self.problems.keys():
            return
        with_zeros = []
        position = hole.start
        while position < hole.stop:
            stop = min(self._body.next_edge(position), hole.stop)
            number = run.numbers_in(range(position, position + 1))[0]
            parts[number] += stop - position
            if _ZEROS in self._body.read(position, min(stop - position, _READ_AT_ONCE)):
                with_zeros.append(number)
            position = stop
        likely = with_zeros or [number for number, size in parts.items() if size > _SMALLEST_HOLE]
        detail = _HAS_HOLES if len(likely) == 1 else _MAY_HAVE_HOLES
        for number in likely:
            self.report(number, "damaged", detail)

    def _is_certainly_none(self, index: int) -> bool:
        position = self._body.run.edges[index]
        head = self._body.read(position, min(BEGINNING_SIZE, self._body.next_edge(position) - position))
        return bool(not_audio_by_its_beginning(head) or format_not_read(head)) or self._is_zeros(index)

    def _first_frame(self, container: Container, start: int, end: int) -> int:
        """Where a file's sound begins: bare frames may begin with the end of one, or with anything behind a tag."""
        if not container.is_bare_frames:
            return start
        first = first_frame_of(self._body.part(start, end), end - start, self._body.budget)
        return start if first is None else start + first.position

    def _has_index(self, start: int, end: int) -> bool:
        return any(box.name == "moov" for box in nested_boxes.mp4_boxes(self._body.part(start, end), end - start))

    def _report_lost_mp4(self, start: int, end: int) -> None:
        edges = self._body.run.edges
        for index in range(bisect.bisect_left(edges, start + 1), bisect.bisect_right(edges, end) - 1):
            if self._is_certainly_none(index):
                reason, detail = self._what_is_at(edges[index])
                self.report(self._number(index), reason, detail)
                self.guilty.add(self._number(index))
        begins = self._body.read(start + 4, 4) == b"ftyp"
        detail = "is of an MP4 file whose index (moov) is missing" if begins else _is_middle("an MP4")
        for number in self._body.run.numbers_in(range(start, end)):
            self.report(number, "damaged", detail)

    def _is_foreign(self, container: Container, coded: "_CodedSound", index: int) -> bool:
        """Tell of a chunk whose bytes are where a file's sound should be, and are certainly none."""
        if container in _WALKED_BY_FRAMES:
            return False
        position = self._body.run.edges[index]
        head = self._body.read(position, min(BEGINNING_SIZE, self._body.next_edge(position) - position))
        if not_audio_by_its_beginning(head) or format_not_read(head):
            self.report(self._number(index), *self._what_is_at(position))
            self.guilty.add(self._number(index))
            return True
        may_be_zeros = container not in (Container.MP4, *_NEVER_ZEROS) or not self._is_zeros(index)
        if may_be_zeros or (container is Container.MP4 and not coded.holds(self._number(index))):
            return False
        self.report(self._number(index), "not_audio", _HOLDS_ZEROS)
        self.guilty.add(self._number(index))
        return True

    def _pass_over(self, start: int) -> int:
        """Leave out what is no file. Returns where the next file may begin."""
        body = self._body
        edge = body.next_edge(start)
        if not body.names_something(start):
            next_file = body.next_beginning(start + 1, edge)
            if next_file is not None:
                return next_file
        if body.is_edge(start):
            reason, detail = self._what_is_at(start)
            self.report(self._number(bisect.bisect_left(body.run.edges, start)), reason, detail)
        return edge

    def _what_is_at(self, position: int) -> tuple[DamageReason, str]:
        """Why no file begins with the chunk at `position`."""
        head = self._body.read(position, BEGINNING_SIZE)
        if name := not_audio_by_its_beginning(head):
            return "not_audio", f"is {name}, not audio"
        if name := format_not_read(head):
            return "unsupported_audio", f"is {name}, which is not supported; {_SUPPORTED}"
        if self._body.holds_zeros(position):
            return "not_audio", _HOLDS_ZEROS
        kind = middle_of(head) or _part_inside(self._body, position, self._body.next_edge(position))
        self._missing_beginning = kind or self._missing_beginning
        return "not_audio", _is_middle(self._missing_beginning) if self._missing_beginning else _NO_AUDIO

    def _is_zeros(self, index: int) -> bool:
        return self._body.holds_zeros(self._body.run.edges[index])

    def _number(self, index: int) -> int:
        return self._body.run.pieces[index].number or 1


class _Touched:
    """Which pieces of a run hold something of a file. Its parts are told of in order."""

    def __init__(self, run: ChunkRun) -> None:
        self._edges = run.edges
        self._index = 0
        self.indexes: set[int] = set()
        self.holes: list[range] = []
        """What is between the file's parts."""
        self._end: int | None = None

    def gaps(self, indexes: range) -> Iterator[list[int]]:
        """Those of the pieces that hold nothing of the file, grouped by who is next to whom."""
        group: list[int] = []
        for index in indexes:
            if index not in self.indexes:
                group.append(index)
            elif group:
                yield group
                group = []
        if group:
            yield group

    def add(self, span: range) -> None:
        if not span:
            return
        if self._end is not None and self._end < span.start and len(self.holes) < _MOST_PATCHES:
            self.holes.append(range(self._end, span.start))
        self._end = span.stop
        if self._edges[self._index] > span.start or self._edges[self._index + 1] <= span.start:
            self._index = bisect.bisect_right(self._edges, span.start) - 1
        while self._index + 1 < len(self._edges) and self._edges[self._index] < span.stop:
            self.indexes.add(self._index)
            self._index += 1
        self._index -= 1


class _CodedSound:
    """Where the sound of an MP4 file is, if zeros mean nothing there. What it knows is read once, when it is asked."""

    def __init__(self, run: ChunkRun) -> None:
        self._run = run

    def holds(self, number: int) -> bool:
        """Whether this chunk is inside that sound."""
        chunk = self._spans[number]
        return any(sound.start <= chunk.start and chunk.stop <= sound.stop for sound in self._sound_near(chunk.start))

    @cached_property
    def _spans(self) -> dict[int, range]:
        return dict(reversed([*self._run.spans()]))

    def _sound_near(self, position: int) -> list[range]:
        index = bisect.bisect_right(self._sound, position, key=lambda sound: sound.start)
        return self._sound[max(0, index - 1) : index]

    @cached_property
    def _sound(self) -> list[range]:
        found = []
        with self._run.open() as reader:
            for box in nested_boxes.mp4_boxes(reader, reader.size_bytes):
                if box.name == "mdat":
                    found.append(box.span)
                if box.name == "moov":
                    reader.seek(box.span.start)
                    codecs = reader.read(min(len(box.span), _LARGEST_INDEX))
                    if any(codec in codecs for codec in _BARE_SAMPLES):
                        return []
        return found


def _walked(parts: Walk, touched: _Touched, patches: list[tuple[range, bytes]]) -> int:
    """Where a walk ends; what it tells on its way is noted."""
    while True:
        try:
            part = next(parts)
        except StopIteration as ended:
            return int(ended.value)
        if isinstance(part, range):
            touched.add(part)
        elif len(patches) < _MOST_PATCHES:
            patches.append((part.span, part.header))


def _is_as_long_as_it_says(run: ChunkRun) -> bool:
    with run.open() as reader:
        wave = read_wave(reader, reader.size_bytes)
    return wave is not None and (wave.declared_data_end is None or wave.sizes_are_right)


def _is_middle(kind: str) -> str:
    return f"is the middle of {kind} file whose beginning is missing"


def _part_inside(body: Body, start: int, stop: int) -> str | None:
    """The kind of file whose parts are inside a chunk, though it begins in the middle of one of them."""
    position = start
    while position < stop:
        block = body.read(position, min(_READ_AT_ONCE, stop - position))
        for magic, offset in ((nested_boxes.CLUSTER_MAGIC, 0), (b"moof", 4), (b"moov", 4), (ogg.CAPTURE + b"\0", 0)):
            at = block.find(magic, offset)
            if at >= 0 and (kind := middle_of(block[at - offset : at + 64])):
                return kind
        if position == start and _has_webm_blocks(body, position, block):
            return "a WebM"
        if position == start and _has_flac_frames(body, position, block):
            return "a FLAC"
        position += len(block)
    return None


def _has_webm_blocks(body: Body, position: int, block: bytes) -> bool:
    headers = nested_boxes.BLOCK_HEADER.finditer(block)
    return any(not body.budget.is_spent and has_blocks(body, position + header.start()) for header in headers)


def _has_flac_frames(body: Body, position: int, block: bytes) -> bool:
    """Whether a frame begins in these bytes that others of its form follow."""
    forms = set(_flac_forms(block, body.budget))
    if not forms:
        return False
    following = Counter(_flac_forms(body.read(position, _READ_AT_ONCE), body.budget))
    return any(following[form] >= _FRAMES_THAT_CONVINCE for form in forms)


def _flac_forms(block: bytes, budget: Budget) -> Iterator[bytes]:
    """What frames' headers say of how to decode them."""
    for match in islice(_FLAC_SYNC.finditer(block), _MOST_TRIES):
        budget.spend(A_LOOK)
        if budget.is_spent:
            return
        if flac.frame_header(block[match.start() : match.start() + 16]) is not None:
            yield match[0]

"""Finds the files that chunks make up: each chunk a whole file, or slices of one file, several files, or some of all.

Only the bytes count. A file begins where a file's header is. Two things can look like that and are not: sound that
happens to read like a header, and a header inside a file (a second stream's in Ogg, a tag's in MP3). So where a
container says where its file ends, that counts for more than what seems to begin in it; see `file_ends`.

A chunk that is no part of any file is left out and told of: the others are still worth having.
"""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.audio import flac, nested_boxes, ogg
from adapters.audio.body import Body
from adapters.audio.chunk_bytes import ChunkRun, MeasuredChunks
from adapters.audio.container import Container, first_frame_of, format_not_read, middle_of, not_audio_by_its_beginning
from adapters.audio.damage import Damage, DamageReason
from adapters.audio.errors import NotAudio, UnsupportedAudio
from adapters.audio.file_ends import walk
from adapters.audio.signatures import BEGINNING_SIZE

_SUPPORTED = "send it as WAV, FLAC, MP3, M4A, Ogg or WebM"
_HOLDS_ZEROS = "holds nothing but zeros"
_NO_AUDIO = "is not audio"
_EMPTY = "is empty"
_READ_AT_ONCE = 1 << 17
_LARGEST_INDEX = 1 << 20
_FRAMES_THAT_CONVINCE = 3

_MAY_BE_SILENT = (Container.WAV, Container.W64, Container.AIFF, Container.AU, Container.CAF)
"""Their samples may be any bytes, zeros above all."""

_KEPT_IN_PLACE = (*_MAY_BE_SILENT, Container.MP4, Container.MATROSKA, Container.AVI, Container.ASF)
"""What comes later in them is found by its position, so a chunk that is none of theirs is not cut out."""

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
    if not measured.chunks:
        raise NotAudio(chunk_number=None, detail="has no chunks")
    run = ChunkRun.of(measured)
    with run.open() as reader:
        search = _Search(Body(run, reader))
        for number, size in enumerate(measured.sizes_bytes, start=1):
            if not size:
                search.report(number, "not_audio", _EMPTY)
        search.run()
    if not search.files:
        raise _most_telling(search.problems)
    return FoundFiles(search.files, tuple(search.problems[number].damage for number in sorted(search.problems)))


@dataclass(frozen=True, slots=True)
class _Problem:
    number: int
    reason: DamageReason
    detail: str

    @property
    def damage(self) -> Damage:
        return Damage(
            chunk_number=self.number,
            reason=self.reason,
            message=f"Chunk {self.number} {self.detail}; it was left out.",
        )


def _most_telling(problems: dict[int, _Problem]) -> NotAudio | UnsupportedAudio:
    in_order = [problems[number] for number in sorted(problems)]
    told = [problem for problem in in_order if problem.detail not in (_EMPTY, _HOLDS_ZEROS, _NO_AUDIO)]
    problem = (told or in_order)[0]
    kind = UnsupportedAudio if problem.reason == "unsupported_audio" else NotAudio
    return kind(chunk_number=problem.number, detail=problem.detail)


class _Search:
    """Goes through a body once, from file to file."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.files: list[WholeFile] = []
        self.problems: dict[int, _Problem] = {}
        self._missing_beginning: str | None = None

    def run(self) -> None:
        position = 0
        while position < self._body.size_bytes:
            container = self._body.container_at(position)
            position = self._pass_over(position) if container is None else self._take(container, position)

    def report(self, number: int, reason: DamageReason, detail: str) -> None:
        self.problems.setdefault(number, _Problem(number, reason, detail))

    def _take(self, container: Container, start: int) -> int:
        """Take the file that begins at `start`. Returns where it ends."""
        self._missing_beginning = None
        body = self._body
        touched = _Touched(body.run)
        parts = walk(body, container, start)
        while True:
            try:
                touched.add(next(parts))
            except StopIteration as ended:
                end = max(int(ended.value), start + 1)
                break
        run = body.run.part(self._first_byte(container, start, end), end)
        if container is Container.MP4 and not self._has_index(start, end):
            self._report_lost_mp4(start, end)
            return end
        dropped = set[int]()
        for index in range(bisect.bisect_left(body.run.edges, start + 1), bisect.bisect_left(body.run.edges, end)):
            if index not in touched.indexes:
                dropped.add(self._number(index))
                if body.run.edges[index + 1] <= end:
                    self._report_foreign(index, follows=index > min(touched.indexes, default=index))
            elif container in _KEPT_IN_PLACE and body.run.edges[index + 1] <= end:
                self._report_if_foreign(container, run, index)
        if container not in _KEPT_IN_PLACE:
            run = run.without(dropped)
        self.files.append(WholeFile(container, run))
        return end

    def _first_byte(self, container: Container, start: int, end: int) -> int:
        """Where a file's bytes begin that are worth keeping: bare frames may begin with the end of a frame."""
        if not container.is_bare_frames:
            return start
        first = first_frame_of(self._body.part(start, end), end - start)
        is_tagged = self._body.read(start, 3) == b"ID3"
        return start if first is None or is_tagged else start + first.position

    def _has_index(self, start: int, end: int) -> bool:
        return any(box.name == "moov" for box in nested_boxes.mp4_boxes(self._body.part(start, end), end - start))

    def _report_lost_mp4(self, start: int, end: int) -> None:
        begins = self._body.read(start + 4, 4) == b"ftyp"
        detail = "is of an MP4 file whose index (moov) is missing" if begins else _is_middle("an MP4")
        for number in self._body.run.numbers_in(range(start, end)):
            self.report(number, "damaged", detail)

    def _report_foreign(self, index: int, *, follows: bool) -> None:
        """Tell of a chunk that has nothing in it of the file that it is in the middle of, or at the end."""
        reason, detail = self._what_is_at(self._body.run.edges[index])
        if follows and detail == _NO_AUDIO:
            detail = "is not audio, and does not continue the file before it"
        self.report(self._number(index), reason, detail)

    def _report_if_foreign(self, container: Container, run: ChunkRun, index: int) -> None:
        """Tell of a chunk whose bytes are where a file's sound should be, and are certainly none."""
        position = self._body.run.edges[index]
        if name := not_audio_by_its_beginning(self._body.read(position, BEGINNING_SIZE)):
            self.report(self._number(index), "not_audio", f"is {name}, not audio")
        elif container not in _MAY_BE_SILENT and self._is_zeros(index) and not self._has_bare_samples(container, run):
            self.report(self._number(index), "not_audio", _HOLDS_ZEROS)

    def _has_bare_samples(self, container: Container, run: ChunkRun) -> bool:
        if container is not Container.MP4:
            return container is Container.MATROSKA
        with run.open() as reader:
            for box in nested_boxes.mp4_boxes(reader, reader.size_bytes):
                if box.name == "moov":
                    reader.seek(box.span.start)
                    index = reader.read(min(len(box.span), _LARGEST_INDEX))
                    return any(codec in index for codec in _BARE_SAMPLES)
        return False

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
        if self._is_zeros(bisect.bisect_left(self._body.run.edges, position)):
            return "not_audio", _HOLDS_ZEROS
        kind = middle_of(head) or _part_inside(self._body, position, self._body.next_edge(position))
        self._missing_beginning = kind or self._missing_beginning
        return "not_audio", _is_middle(self._missing_beginning) if self._missing_beginning else _NO_AUDIO

    def _is_zeros(self, index: int) -> bool:
        position, stop = self._body.run.edges[index : index + 2]
        while position < stop:
            block = self._body.read(position, min(_READ_AT_ONCE, stop - position))
            if block.count(0) != len(block):
                return False
            position += len(block)
        return True

    def _number(self, index: int) -> int:
        return self._body.run.pieces[index].number or 1


class _Touched:
    """Which pieces of a run hold something of a file. Its parts are told of in order."""

    def __init__(self, run: ChunkRun) -> None:
        self._edges = run.edges
        self._index = 0
        self.indexes: set[int] = set()

    def add(self, span: range) -> None:
        if not span:
            return
        if self._edges[self._index] > span.start or self._edges[self._index + 1] <= span.start:
            self._index = bisect.bisect_right(self._edges, span.start) - 1
        while self._index + 1 < len(self._edges) and self._edges[self._index] < span.stop:
            self.indexes.add(self._index)
            self._index += 1
        self._index -= 1


def _is_middle(kind: str) -> str:
    return f"is the middle of {kind} file whose beginning is missing"


def _part_inside(body: Body, start: int, stop: int) -> str | None:
    """The kind of file whose parts are inside a chunk, though it begins in the middle of one of them."""
    position = start
    while position < stop:
        block = body.read(position, min(_READ_AT_ONCE, stop - position))
        for magic, offset in ((nested_boxes.CLUSTER_MAGIC, 0), (b"moof", 4), (ogg.CAPTURE + b"\0", 0)):
            at = block.find(magic, offset)
            if at >= 0 and (kind := middle_of(block[at - offset : at + 64])):
                return kind
        if position == start and _has_flac_frames(block):
            return "a FLAC"
        position += len(block)
    return None


def _has_flac_frames(block: bytes) -> bool:
    seen: dict[bytes, int] = {}
    for form in _flac_forms(block):
        seen[form] = seen.get(form, 0) + 1
        if seen[form] == _FRAMES_THAT_CONVINCE:
            return True
    return False


def _flac_forms(block: bytes) -> Iterator[bytes]:
    at = block.find(b"\xff")
    while at >= 0:
        header = block[at : at + 16]
        if header[1:2] in (b"\xf8", b"\xf9") and flac.frame_header(header) is not None:
            yield header[:4]
        at = block.find(b"\xff", at + 1)

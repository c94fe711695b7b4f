"""Walks a file in a body of chunks, part by part, to where it ends; each kind of file by its own structure.

Every walk yields the ranges of bytes that are certainly of the file, and what is damaged; it returns where it ends.
Where the structure does not tell the end, or is damaged, the file ends where the next one begins. A walk takes time in
proportion to the bytes.
"""

# ruff: noqa: PLR2004 - the numbers here are the formats' own, as their specifications write them

from collections.abc import Generator
from dataclasses import dataclass

from adapters.audio import flac, mpeg_frames, mpeg_ts, nested_boxes, ogg
from adapters.audio.body import Body, Frames
from adapters.audio.budget import A_SEARCH, A_TINY_PART, SEVERAL_LOOKS
from adapters.audio.container import Container, first_frame_of, size_of_tags
from adapters.audio.nested_boxes import Box
from adapters.audio.wav import read_wave


@dataclass(frozen=True, slots=True)
class Gap:
    """Damaged bytes in a file of nested elements, and the header of an element to skip that takes their place."""

    span: range
    header: bytes


Walk = Generator[range | Gap, None, int]

_HEAD_SIZE, _SEARCHED_AT_FIRST, _SEARCHED_AT_ONCE = 1 << 12, 1 << 9, 1 << 17
_BLOCKS_THAT_CONVINCE = 4
_CAF_CHUNKS = (
    b"desc", b"data", b"pakt", b"kuki", b"chan", b"free", b"info", b"uuid", b"mark", b"regn", b"peak", b"ovvw", b"midi",
    b"strg", b"inst", b"umid", b"edct", b"ldsc",
)  # fmt: skip
_HOLD_FRAMES = (Container.AVI, Container.MPEG_PS, Container.ASF, Container.CAF)
"""Kinds of file that may hold frames of MP3 or AAC that follow one another as in a file of nothing else."""


def walk(body: Body, container: Container, start: int) -> Walk:
    """The parts of the file that begins at `start`, in order; returns where it ends."""
    match container:
        case Container.WAV:
            return _wav(body, start)
        case Container.OGG:
            return _ogg(body, start)
        case Container.MP4:
            return _mp4(body, start)
        case Container.MATROSKA:
            return _matroska(body, start)
        case Container.FLAC:
            return _flac(body, start)
        case Container.MP3 | Container.ADTS:
            return _bare_frames(body, start)
        case Container.MPEG_TS:
            return _transport_stream(body, start)
        case _:
            return _other(body, container, start)


def _wav(body: Body, start: int) -> Walk:
    part, size = body.part(start), body.size_bytes - start
    wave = read_wave(part, size, header_only=True)
    if wave is None or wave.declared_data_end is None or wave.declared_data_end > size:
        frames = Frames.ANY if wave is not None and wave.format.is_sample_based else Frames.OF_A_FILE
        end = _next_file(body, start + (12 if wave is None else wave.data_start), frames)
    else:
        end = _declared_end(body, start, wave.possible_ends(part, size), start + wave.declared_data_end)
        end = body.end_of_bare_samples(wave.format, end)
    yield range(start, end)
    return end


def _next_file(body: Body, position: int, frames: Frames = Frames.ANY, current: Container | None = None) -> int:
    found = body.next_beginning(position, body.size_bytes, frames=frames, current=current)
    return body.size_bytes if found is None else found


def _declared_end(body: Body, start: int, possible_ends: tuple[int, ...], content_end: int) -> int:
    """Where a file ends that says so, if what is there agrees; else where the chunk ends that its content ends in."""
    for end in possible_ends:
        at = start + end
        if at <= body.size_bytes and (body.is_edge(at) or body.begins_file(at)):
            return at
    # A file that was cut off claims bytes of the next one.
    next_file = body.first_edge_that_begins_file(start, min(content_end, body.size_bytes))
    if next_file is not None or content_end >= body.size_bytes:
        return body.size_bytes if next_file is None else next_file
    return _end_of_tail(body, content_end)


def _end_of_tail(body: Body, position: int) -> int:
    """Where a file ends that is complete at `position`: there, or with the chunk, if nothing else begins in it."""
    if body.is_edge(position) or body.begins_any_file(position):
        return position
    edge = body.next_edge(position)
    next_file = body.next_beginning(position, edge)
    return edge if next_file is None else next_file


def _ogg(body: Body, start: int) -> Walk:
    position = start
    links = _Links()
    while position < body.size_bytes:
        page = ogg.page_at(body.part(position), 0, body.budget)
        if page is None:
            if body.budget.is_spent:
                return _next_file(body, position)
            body.budget.spend(A_SEARCH)
            if ogg.begins_page(body.read(position, 5)):  # it was cut off
                yield range(position, min(position + ogg.HEADER_SIZE, body.size_bytes))
            following = ogg.next_page(body.part(position + 1), body.budget)
            end, position = _resumed(body, position, None if following is None else position + 1 + following)
            if end is not None:
                return end
            continue
        if links.begins_other_file(page, at_edge=body.is_edge(position)):
            return position
        links.add(page)
        yield range(position, position + page.end)
        position += page.end
    return position


class _Links:
    """The streams of an Ogg file: some play together, and others may follow when those have ended."""

    def __init__(self) -> None:
        self._has_sound = False
        self._open: set[int] = set()
        self._layouts: set[bytes] = set()

    def begins_other_file(self, page: ogg.Page, *, at_edge: bool) -> bool:
        """Whether a page begins another file: with the chunk, or with sound of another kind after all has ended."""
        if not page.is_first or not self._has_sound:
            return False
        return at_edge or (not self._open and ogg.layout(page) not in self._layouts)

    def add(self, page: ogg.Page) -> None:
        if page.is_first:
            self._open.add(page.serial)
            self._layouts.add(ogg.layout(page))
        else:
            self._has_sound = True
        if page.is_last:
            self._open.discard(page.serial)


def _resumed(body: Body, position: int, following: int | None) -> tuple[int | None, int]:
    """After damage at `position`: where the file ends, if before `following`; else where it goes on."""
    stop = body.size_bytes if following is None else following
    next_file = body.next_beginning(position, stop, frames=Frames.ANY)
    if next_file is not None or following is None:
        return (stop if next_file is None else next_file), stop
    return None, following


def _mp4(body: Body, start: int) -> Walk:
    reader, position = body.part(0), start
    names, before = set[str](), ""
    may_be_followed = True
    while position < body.size_bytes:
        box = nested_boxes.mp4_box(reader, position, body.size_bytes)
        is_tiny = box is not None and nested_boxes.is_tiny(box.name, len(box.span), before=before)
        if _gives_up(body, box, is_tiny=is_tiny):
            return _next_file(body, position)
        is_whole = {"moov", "mdat"} <= names and "moof" not in names
        if box is None and is_whole:
            return _end_of_tail(body, position)
        if box is None:
            following = body.next_part(position + 1, b"moof", 4, nested_boxes.begins_fragment)
            end, resumed = _resumed(body, position, following if "moov" in names else None)
            if end is not None:
                return end
            yield Gap(range(position, resumed), nested_boxes.skipped_box(resumed - position))
            position = resumed
            continue
        if box.name == "ftyp" and names - nested_boxes.FIRST_BOXES:
            return position
        if is_whole and may_be_followed and box.name in ("moov", "mdat", "wide", "pnot", "skip"):
            may_be_followed = False
            if nested_boxes.has_index(reader, body.size_bytes, position):
                return position  # an old QuickTime file
        names.add(box.name)
        following_box = nested_boxes.mp4_box(reader, box.span.stop, body.size_bytes)
        cut_off_at = _cut_off_at(body, box, following_box)
        if cut_off_at is not None:
            yield range(position, cut_off_at)
            return cut_off_at
        is_sure = following_box is not None or "moof" not in names or body.is_edge(box.span.stop)
        yield box.span if is_sure else range(position, position + 1)
        position, before = box.span.stop, box.name
    return body.size_bytes


def _gives_up(body: Body, part: Box | None, *, is_tiny: bool) -> bool:
    """Whether the budget is spent. What is no part of the file costs some of it, and so does one without sound."""
    body.budget.spend(A_SEARCH if part is None else A_TINY_PART if is_tiny else 0)
    return body.budget.is_spent


def _cut_off_at(body: Body, box: Box, following: Box | None) -> int | None:
    """Where another file begins inside a box, or an element, whose size does not end where one does."""
    end = box.span.stop
    if end < body.size_bytes and (following is not None or body.is_edge(end)):
        return None
    if box.has_size and end == body.size_bytes:
        return None
    edge = body.first_edge_that_begins_file(box.span.start, min(end, body.size_bytes))
    if edge is not None or end < body.size_bytes:
        return edge
    found = body.next_beginning(box.span.start + 16, body.size_bytes)
    return body.size_bytes if found is None else found


def _matroska(body: Body, start: int) -> Walk:
    reader, position = body.part(0), start
    segment_end: int | None = None
    has_segment = False
    while position < body.size_bytes:
        if position == segment_end:
            return _end_of_tail(body, position)
        element = nested_boxes.matroska_element(reader, position, body.size_bytes)
        is_tiny = element is not None and nested_boxes.is_tiny_element(element)
        if _gives_up(body, element, is_tiny=is_tiny):
            return _next_file(body, position)
        if element is not None and element.name == nested_boxes.EBML and has_segment:
            return position
        if element is not None and element.is_entered:
            if element.name == nested_boxes.SEGMENT:
                has_segment = True
                segment_end = _segment_end(body, element)
            yield range(position, element.content)
            position = element.content
            continue
        if element is not None and _is_confirmed(body, element):
            yield element.span
            position = element.span.stop
            continue
        if element is not None:  # its size is damaged, or what it holds is, or it is the last one and was cut off
            yield range(position, position + 1)
        end, resumed = _resumed(body, position, _next_blocks(body, position + 1))
        if end is not None:
            return end
        yield Gap(range(position, resumed), nested_boxes.skipped_element(resumed - position))
        position = resumed
    return body.size_bytes


def _next_blocks(body: Body, position: int) -> int | None:
    """Where the next cluster begins in a WebM file, or the next blocks in a cluster."""
    cluster = body.next_part(position, nested_boxes.CLUSTER_MAGIC, 0, nested_boxes.begins_cluster)
    stop = body.size_bytes if cluster is None else cluster
    searched = _SEARCHED_AT_FIRST
    while position < stop:
        block = body.read(position, min(searched, stop - position) + 8)
        for match in nested_boxes.BLOCK_HEADER.finditer(block):
            at = position + match.start()
            if at < stop and has_blocks(body, at):
                return at
            if body.budget.is_spent:
                return cluster
        position += searched
        searched = min(4 * searched, _SEARCHED_AT_ONCE)
    return cluster


def has_blocks(body: Body, position: int) -> bool:
    """Whether blocks of sound of a WebM file follow one another here, up to the next cluster or the end."""
    body.budget.spend(SEVERAL_LOOKS)
    for _ in range(_BLOCKS_THAT_CONVINCE):
        element = nested_boxes.matroska_element(body.part(0), position, body.size_bytes)
        if element is None or not nested_boxes.BLOCK_HEADER.match(body.read(position, 8)):
            return element is not None and element.name in (nested_boxes.CLUSTER, nested_boxes.EBML)
        position = element.span.stop
        if position == body.size_bytes:
            return True
    return True


def _segment_end(body: Body, segment: Box) -> int | None:
    end = segment.span.stop
    if not segment.has_size or end > body.size_bytes:
        return None
    if body.is_edge(end) or body.begins_any_file(end):
        return end
    return end if body.first_edge_that_begins_file(segment.span.start, end) is None else None


def _is_confirmed(body: Body, element: Box) -> bool:
    end = element.span.stop
    if end >= body.size_bytes:
        return end == body.size_bytes
    return body.is_edge(end) or nested_boxes.matroska_element(body.part(0), end, body.size_bytes) is not None


def _flac(body: Body, start: int) -> Walk:
    """Frames have no size in their header; but one begins in every stretch longer than the largest frame."""
    part = body.part(start)
    tags = size_of_tags(part)
    part.seek(tags + 8)
    info = flac.StreamInfo.of(part.read(flac.STREAMINFO_SIZE))
    sound = min(start + flac.metadata_end(part, tags), body.size_bytes)
    end = _next_file(body, sound)
    yield range(start, sound)
    if info is None:
        yield range(sound, end)
        return end
    largest = _largest_frame(info)
    last_frame = sound
    ending = _Ending(body, sound, info)
    for edge in [sound, *body.edges_between(sound, end)]:
        stop = min(body.next_edge(edge), end)
        if _has_frame(body, edge, stop, largest, info):
            last_frame = stop
            yield range(edge, stop)
        elif stop - last_frame <= largest and not _is_foreign(body, edge) and not ending.is_at(edge, last_frame):
            yield range(edge, stop)  # the middle of a frame
    return end


def _largest_frame(info: flac.StreamInfo) -> int:
    # A frame is at most as large as its raw samples, plus some bytes of headers.
    return info.largest_frame_bytes or info.largest_block * info.channels * ((info.bits + 8) // 8) + 1024


def _has_frame(body: Body, start: int, stop: int, largest: int, info: flac.StreamInfo) -> bool:
    block = body.read(start, min(stop - start, largest) + 32)
    at = block.find(b"\xff")
    while 0 <= at < stop - start:
        header = flac.frame_header(block[at : at + 16])
        if header is not None and header.block_size <= info.largest_block:
            return True
        at = block.find(b"\xff", at + 1)
    return False


def _is_foreign(body: Body, edge: int) -> bool:
    """Whether the chunk at `edge` is certainly nothing of the stream."""
    return body.holds_zeros(edge) or body.names_something(edge)


class _Ending:
    """Whether a FLAC stream has ended. Asked for rising places, it reads everything once."""

    def __init__(self, body: Body, sound: int, info: flac.StreamInfo) -> None:
        self._body = body
        self._sound = sound
        self._info = info
        self._last_frame = sound
        self._checksum: int | None = None
        """Of the stream's last frame, up to where it was read; None while that has not come."""
        self._read = sound

    def is_at(self, position: int, last_frame: int) -> bool:
        """Whether the stream's last frame ends at `position`. `last_frame`: before it, a frame begins in the chunk."""
        if last_frame != self._last_frame:
            self._last_frame = last_frame
            self._look_before(last_frame)
        if self._checksum is None:
            return False
        while self._read < position:
            block = self._body.read(self._read, min(_SEARCHED_AT_ONCE, position - self._read))
            self._checksum = flac.crc16(block, self._checksum)
            self._read += len(block)
        return self._checksum == 0

    def _look_before(self, end: int) -> None:
        """Find the last frame that begins before `end`, whose chunk has one."""
        self._checksum = None
        stop, size = end, _SEARCHED_AT_FIRST
        while stop > self._sound:
            start = max(self._sound, stop - size)
            found = flac.last_header(self._body.read(start, stop - start + 16), self._info)
            if found is not None:
                offset, header = found
                if flac.is_final(header, self._info):
                    self._checksum, self._read = 0, start + offset
                return
            stop, size = start, min(4 * size, _SEARCHED_AT_ONCE)


def _bare_frames(body: Body, start: int) -> Walk:
    first = first_frame_of(body.part(start), body.size_bytes - start, body.budget)
    if first is None:
        return body.next_edge(start)
    position, form, has_sound = start + first.position, first.format, False
    yield range(start, min(position, start + size_of_tags(body.part(start))))
    frame = _frame_at(body, position)
    while position < body.size_bytes:
        if frame is not None and frame.format == form:
            if has_sound and _is_note(body, frame):
                return position
            following = _frame_at(body, frame.end)
            goes_on = (following is not None and following.format == form) or _may_end(body, frame.end)
            # Only the header is certain of a frame that was cut off.
            yield range(position, frame.end if goes_on else position + 1)
            has_sound = True
            position, frame = frame.end, following
            continue
        if body.budget.is_spent:
            yield range(position, position + 1)
            return _next_file(body, position)
        body.budget.spend(A_SEARCH)
        end, resumed = _after_frames(body, position, form)
        if mpeg_frames.size_of_tag(body.read(position, 16)):
            yield range(position, resumed)
        if end is not None:
            return end
        position, frame = resumed, _frame_at(body, resumed)
    return body.size_bytes


def _frame_at(body: Body, position: int) -> mpeg_frames.Frame | None:
    return mpeg_frames.frame_of(body.read(position, 7), position)


def _after_frames(body: Body, position: int, form: mpeg_frames.FrameFormat) -> tuple[int | None, int]:
    """At what is no frame of the stream: where the file ends; or None, and where it goes on."""
    head = body.read(position, 16)
    size = mpeg_frames.size_of_tag(head)
    if size and not head.startswith(b"ID3") and position + size <= body.size_bytes:
        position += size
        return (position if body.begins_any_file(position) else None), position
    if body.begins_any_file(position):
        return position, position
    following = body.next_frame(position)
    end, resumed = _resumed(body, position, None if following is None else following.position)
    if end is None and following is not None and following.format != form:
        return resumed, resumed
    return end, resumed


def _is_note(body: Body, frame: mpeg_frames.Frame) -> bool:
    return frame.format.codec == "mp3" and mpeg_frames.is_xing(
        body.read(frame.position, frame.size_bytes), frame.format
    )


def _may_end(body: Body, position: int) -> bool:
    """Whether frames may end here: with the chunk, or before a tag or another file."""
    return (
        position >= body.size_bytes
        or body.is_edge(position)
        or body.read(position, 16).startswith(mpeg_frames.TAIL_MARKS)
        or body.begins_file(position)
    )


def _other(body: Body, container: Container, start: int) -> Walk:
    """A file whose structure is not followed. Some say how long they are."""
    declared = _declared_size(body, container, start)
    if declared is not None and declared <= body.size_bytes - start:
        end = _declared_end(body, start, (declared, declared + declared % 2), start + declared)
    else:
        frames = Frames.OF_A_FILE if container in _HOLD_FRAMES else Frames.ANY
        end = _next_file(body, start + 8, frames, container)
    yield range(start, end)
    return end


def _transport_stream(body: Body, start: int) -> Walk:
    latest = mpeg_ts.first_time(body.read(start, _SEARCHED_AT_ONCE))
    end = body.size_bytes
    for edge in [start, *body.edges_between(start, body.size_bytes)]:
        head = body.read(edge, _HEAD_SIZE)
        if edge != start and mpeg_ts.begins_stream(head):
            time = mpeg_ts.first_time(body.read(edge, _SEARCHED_AT_ONCE))
            if time is not None and latest is not None and time <= latest:
                return edge  # segments of one stream go on in time, other recordings begin anew
            latest = time
        elif edge != start and (body.begins_file(edge) or body.begins_frames(edge)):
            return edge
        stop = body.next_edge(edge)
        next_file = body.next_beginning(edge + 1, stop)
        has_packets = next_file is not None or mpeg_ts.has_packets(head[: stop - edge])
        if edge != start and not has_packets and body.begins_any_file(edge):
            return edge
        if has_packets:
            yield range(edge, stop if next_file is None else next_file)
        if next_file is not None:
            return next_file
    return end


def _declared_size(body: Body, container: Container, start: int) -> int | None:
    head = body.read(start, 32)
    match container:
        case Container.AIFF:
            return 8 + int.from_bytes(head[4:8], "big")
        case Container.W64:
            return int.from_bytes(head[16:24], "little")
        case Container.AU:
            sound = int.from_bytes(head[8:12], "big")
            return None if sound == 0xFFFFFFFF else int.from_bytes(head[4:8], "big") + sound
        case Container.AVI:
            return _avi_size(body, start)
        case Container.CAF:
            return _caf_size(body, start)
        case _:
            return None


def _avi_size(body: Body, start: int) -> int | None:
    """A long AVI is several RIFF structures, one behind the other."""
    position = start
    while True:
        head = body.read(position, 12)
        if head[:4] != b"RIFF" or (position > start and head[8:] != b"AVIX"):
            return position - start
        size = int.from_bytes(head[4:8], "little")
        if not size:
            return None
        position += 8 + size + size % 2


def _caf_size(body: Body, start: int) -> int | None:
    position = start + 8
    while (head := body.read(position, 12))[:4] in _CAF_CHUNKS:
        size = int.from_bytes(head[4:12], "big", signed=True)
        if size < 0:
            return None
        position += 12 + size
    return position - start

"""Finds the files that chunks make up: each chunk a whole file, or slices of one file, or some of both.

Only the bytes count. A chunk begins a file if it begins with a file's header. Two things can look like that and are
not: sound that happens to read like a header, and a header inside a file (a second stream's in Ogg, a tag's in MP3).
So where a container says where its file ends, that counts for more than what a chunk begins with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from adapters.audio import flac, mpeg_frames, nested_boxes, ogg
from adapters.audio.chunk_bytes import ChunkReader, ChunkRun, MeasuredChunks
from adapters.audio.container import Container, container_of, format_not_read, size_of_tags
from adapters.audio.damage import Damage
from adapters.audio.errors import NotAudio, UnsupportedAudio
from adapters.audio.wav import read_wave


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
    """The files, in order; together they hold every chunk.

    Raises: NotAudio, UnsupportedAudio with the number of a chunk that neither begins nor continues a file.
    """
    if not measured.chunks:
        raise NotAudio(chunk_number=None, detail="has no chunks")
    for index, size in enumerate(measured.sizes_bytes):
        if size == 0:
            raise NotAudio(chunk_number=index + 1, detail="is empty")
    count = len(measured.chunks)
    files: list[WholeFile] = []
    start = 0
    while start < count:
        container = _required_container(measured, start)
        stop = start + 1
        while stop < count and not _begins_file(measured, container, start, stop):
            stop += 1
        file = WholeFile(container, _chunks(measured, start, stop))
        _check_every_chunk_belongs(file)
        files.append(file)
        start = stop
    return FoundFiles(files)


def _chunks(measured: MeasuredChunks, start: int, stop: int) -> ChunkRun:
    edges = [0, *accumulate(measured.sizes_bytes)]
    return ChunkRun.of(measured).part(edges[start], edges[stop])


def _required_container(measured: MeasuredChunks, index: int) -> Container:
    run = _chunks(measured, index, len(measured.chunks))
    with run.open() as reader:
        container = container_of(reader, run.size_bytes)
        if container is not None:
            return container
        reader.seek(0)
        head = reader.read(64)
    if name := format_not_read(head):
        raise UnsupportedAudio(chunk_number=index + 1, detail=f"is {name}, which is not supported")
    if ogg.begins_page(head):
        raise NotAudio(chunk_number=index + 1, detail="is the middle of an Ogg file whose beginning is missing")
    raise NotAudio(chunk_number=index + 1, detail="is not audio")


def _begins_file(measured: MeasuredChunks, current: Container, start: int, index: int) -> bool:
    """Whether chunk `index` begins a new file, when the current one began with chunk `start`."""
    before = _chunks(measured, start, index)
    rest = _chunks(measured, index, len(measured.chunks))
    with rest.open() as reader:
        head = reader.peek(64)[:64]
        if current is Container.OGG and ogg.begins_page(head) and not ogg.begins_stream(head):
            return False
        if current is Container.WAV and _goes_on_by_its_header(measured, start, index):
            return False
        if _is_whole(current, before):
            return True
        found = container_of(reader, rest.size_bytes)
        if found is None:
            return False
        if found is Container.MP4 and head[4:8] != b"ftyp":
            return False  # any top-level box may begin an old QuickTime file, and a slice too
        if found.is_bare_frames:
            return current.is_bare_frames and _begins_other_frames(before, reader, rest.size_bytes)
    return not (current is Container.OGG and _has_only_first_pages(before))


def _goes_on_by_its_header(measured: MeasuredChunks, start: int, index: int) -> bool:
    whole = _chunks(measured, start, len(measured.chunks))
    with whole.open() as reader:
        wave = read_wave(reader, whole.size_bytes)
    if wave is None:
        return False
    return wave.declared_end in whole.edges[index - start + 1 :]


def _is_whole(container: Container, run: ChunkRun) -> bool:
    """Whether the file says itself that it is complete; some containers never can."""
    with run.open() as reader:
        match container:
            case Container.WAV:
                wave = read_wave(reader, run.size_bytes)
                return wave is not None and wave.declared_end == run.size_bytes
            case Container.OGG:
                return _ends_in_last_page(reader)
            case Container.MP4:
                return nested_boxes.mp4_is_whole(reader, run.size_bytes)
            case Container.MATROSKA:
                return nested_boxes.matroska_is_whole(reader, run.size_bytes)
            case Container.FLAC:
                return _ends_in_last_frame(reader)
            case _:
                return False


def _ends_in_last_page(reader: ChunkReader) -> bool:
    reader.seek(max(0, reader.size_bytes - ogg.LARGEST_PAGE))
    tail = reader.read()
    offset = tail.rfind(ogg.CAPTURE)
    if offset < 0:
        return False
    page = ogg.page_at(reader, reader.size_bytes - len(tail) + offset)
    return page is not None and page.is_last and page.end == reader.size_bytes


def _ends_in_last_frame(reader: ChunkReader) -> bool:
    info = _stream_info(reader)
    if info is None:
        return False
    reader.seek(max(0, reader.size_bytes - _largest_flac_frame(info)))
    return flac.ends_stream(reader.read(), info)


def _has_only_first_pages(run: ChunkRun) -> bool:
    with run.open() as reader:
        return all(page.is_first for page in ogg.pages(reader))


def _begins_other_frames(before: ChunkRun, reader: ChunkReader, size_bytes: int) -> bool:
    """Whether a file of bare frames begins here: with a tag or an encoder's note in front, or in another format."""
    with before.open() as earlier:
        known = next(mpeg_frames.frames(earlier, before.size_bytes), None)
    tags = size_of_tags(reader)
    first = mpeg_frames.first_frame(reader, tags, size_bytes)
    if known is None or first is None:
        return False
    reader.seek(first.position)
    return tags > 0 or first.format != known.format or mpeg_frames.is_xing(reader.read(first.size_bytes), first.format)


def _check_every_chunk_belongs(file: WholeFile) -> None:
    """Refuse a chunk that has nothing in it of the file it should continue: a picture among slices, say."""
    if len(file.run.pieces) == 1 or file.container is Container.WAV:
        return  # a WAV's samples may be any bytes
    if file.container is Container.FLAC:
        _check_flac(file.run)
        return
    with file.run.open() as reader:
        spans = _spans_that_belong(file.container, reader)
        current = next(spans, None)
        for number, span in file.run.spans():
            while current is not None and current.stop <= span.start:
                current = next(spans, None)
            if current is None or current.start >= span.stop:
                raise NotAudio(chunk_number=number, detail="is not audio, and does not continue the file before it")


def _spans_that_belong(container: Container, reader: ChunkReader) -> Iterator[range]:
    match container:
        case Container.OGG:
            yield from _ogg_spans(reader)
        case Container.MP4:
            yield from (box.span for box in nested_boxes.mp4_boxes(reader, reader.size_bytes))
        case Container.MATROSKA:
            elements = nested_boxes.matroska_elements(reader, reader.size_bytes)
            # The segment encloses everything, so it says nothing about what is in it.
            yield from (element.span for element in elements if element.has_size)
        case _:
            yield from _frame_spans(reader)


def _ogg_spans(reader: ChunkReader) -> Iterator[range]:
    end = 0
    for page in ogg.pages(reader):
        yield range(page.position, page.end)
        end = page.end
    reader.seek(end)
    if ogg.begins_page(reader.read(5)):
        yield range(end, reader.size_bytes)  # a last page, cut off


def _frame_spans(reader: ChunkReader) -> Iterator[range]:
    end = size_of_tags(reader)
    yield range(end)
    last: mpeg_frames.Frame | None = None
    for frame in mpeg_frames.frames(reader, reader.size_bytes):
        if last is not None:
            # A frame with no other where it says that it ends was cut off: only its header is certain.
            yield range(last.position, last.end if last.end == frame.position else last.position + 1)
        last = frame
        end = frame.end
    if last is not None:
        yield range(last.position, last.position + 1 if end < reader.size_bytes else end)
    reader.seek(end)
    tail = reader.read(16)
    cut_off = mpeg_frames.frame_of(tail, end)
    if tail.startswith(mpeg_frames.TAIL_MARKS) or (cut_off is not None and cut_off.end > reader.size_bytes):
        yield range(end, reader.size_bytes)


def _check_flac(run: ChunkRun) -> None:
    """FLAC frames have no size in their header; but one begins in every stretch longer than the largest frame."""
    with run.open() as reader:
        info = _stream_info(reader)
        if info is None:
            return
        largest = _largest_flac_frame(info)
        metadata_end = flac.metadata_end(reader, size_of_tags(reader))
        for number, span in run.spans():
            start = max(span.start, metadata_end)
            if number == run.first_number or span.stop - start <= largest:
                continue
            reader.seek(start)
            if not flac.has_frame(reader.read(largest + 32)):
                raise NotAudio(chunk_number=number, detail="is not audio, and does not continue the file before it")


def _stream_info(reader: ChunkReader) -> flac.StreamInfo | None:
    reader.seek(size_of_tags(reader) + 8)
    return flac.StreamInfo.of(reader.read(flac.STREAMINFO_SIZE))


def _largest_flac_frame(info: flac.StreamInfo) -> int:
    # A frame is at most as large as its raw samples, plus some bytes of headers.
    return info.largest_frame_bytes or info.largest_block * info.channels * ((info.bits + 8) // 8) + 1024

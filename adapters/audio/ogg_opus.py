"""Opus (RFC 6716) in Ogg (RFC 7845): measures streams to the sample, and joins several into one without re-encoding."""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import BinaryIO

from adapters.audio.chunk_bytes import ChunkRun
from adapters.audio.ogg import LONGEST_PACKET, NO_PACKET_ENDS_HERE, Page, PageWriter, packets, pages

SAMPLE_RATE = 48_000
"""Opus counts its granule positions at this rate, whatever the recorded rate."""

LONGEST_PADDING = SAMPLE_RATE // 50
"""The most that a join may add: 20 ms, one usual Opus frame."""

SILENT_SAMPLES = SAMPLE_RATE // 50
"""The unit of silence: how long one silent frame lasts."""

_MOST_FRAMES = 6
"""Of 20 ms: a packet lasts 120 ms at most."""

LONGEST_END_TRIM = 2 * 5760
"""Two of the longest packets: no encoder pads by more."""

_HEAD, _TAGS = b"OpusHead", b"OpusTags"
_NO_TAGS = _TAGS + bytes(8)
_SMALLEST_HEAD = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class OpusStream:
    """One stream. All counts are in samples at 48 kHz; `packets` reads its packets of sound anew."""

    packets: Callable[[], Iterator[bytes]]
    serial: int
    head: bytes
    tags: bytes
    packet_count: int
    first_packet_samples: int
    last_packet_samples: int
    coded_samples: int
    end_trim: int

    @property
    def pre_skip(self) -> int:
        return pre_skip(self.head)

    @property
    def mapping(self) -> int:
        """The channel mapping family: 0 for mono and stereo in one stream (RFC 7845, 5.1.1)."""
        return self.head[18]

    @property
    def channels(self) -> int:
        return self.head[9]

    @property
    def layout(self) -> bytes:
        """What streams must have in common to be played by one decoder: version, channels, output gain, mapping."""
        return self.head[8:10] + self.head[16:]

    @property
    def samples(self) -> int:
        """What is heard: without the encoder's delay at the start and the padding at the end."""
        return max(0, self.coded_samples - self.pre_skip - self.end_trim)


def opus_streams(run: ChunkRun) -> list[OpusStream]:
    """The Opus streams of an Ogg file, in order; several where whole files were chained, maybe none."""
    with run.open() as reader:
        starts = list(_opus_starts(reader))
        return [_measured(run, reader, start) for start in starts]


def opus_stream(head: bytes, packets: Callable[[], Iterator[bytes]], *, heard_samples: int) -> OpusStream:
    """A stream from another container, of which a player plays `heard_samples`. `head`: its OpusHead."""
    lengths = [0, 0, 0]
    count = 0
    for packet in packets():
        samples = packet_samples(packet)
        lengths = [lengths[0] or samples, samples, lengths[2] + samples]
        count += 1
    first, last, coded = lengths
    stream = OpusStream(
        packets=packets,
        serial=1,
        head=head,
        tags=_NO_TAGS,
        packet_count=count,
        first_packet_samples=first,
        last_packet_samples=last,
        coded_samples=coded,
        end_trim=0,
    )
    trim = stream.samples - heard_samples
    return replace(stream, end_trim=trim) if 0 < trim <= LONGEST_END_TRIM else stream


def join_opus(streams: Sequence[OpusStream], output: BinaryIO) -> None:
    """Write the streams as one, their packets untouched; all must have the same `layout`.

    A stream begins with the encoder's delay (pre-skip) and ends with the padding of its last packet. In the middle of a
    file nothing can say "skip this", so both are heard at a join. Packets that hold nothing else are left out, and so
    is one that holds mostly those if together they would last more than 20 ms.
    """
    streams = [stream for stream in streams if stream.packet_count] or list(streams[:1])
    first, last = streams[0], streams[-1]
    writer = PageWriter(output, serial=first.serial)
    writer.write(first.head, granule=0, ends_page=True)
    writer.write(first.tags, granule=0, ends_page=True)
    granule = 0
    for stream, kept in zip(streams, _kept_ranges(streams), strict=True):
        position = 0
        for packet in stream.packets():
            samples = packet_samples(packet)
            if position >= kept.start and position + samples <= kept.stop:
                granule += samples
                writer.write(packet, granule=granule)
            position += samples
    writer.close(granule=max(0, granule - last.end_trim))


def pre_skip(head: bytes) -> int:
    """The encoder's delay, in samples that are not heard at the beginning of a stream with this OpusHead."""
    return int.from_bytes(head[10:12], "little")


def silent_packets(head: bytes, units: int) -> Iterator[bytes]:
    """So many times 20 ms of silence for a stream with this OpusHead, of mapping family 0.

    Each is a full-band CELT frame marked silent; up to six share a packet (RFC 6716, 3.2.5: code 3, all of one size).
    """
    first_byte = 31 << 3 | (head[9] > 1) << 2
    while units > 0:
        frames = min(units, _MOST_FRAMES)
        units -= frames
        yield bytes([first_byte | 3, frames]) + b"\xff\xfe" * frames


def packet_samples(packet: bytes) -> int:
    """How long an Opus packet lasts, by its first bytes (RFC 6716, 3.1)."""
    if not packet:
        return 0
    configuration = packet[0] >> 3
    if configuration < 12:
        frame = (480, 960, 1920, 2880)[configuration & 3]
    elif configuration < 16:
        frame = (480, 960)[configuration & 1]
    else:
        frame = (120, 240, 480, 960)[configuration & 3]
    frame_count_code = packet[0] & 3
    if frame_count_code == 3:
        return frame * (packet[1] & 0x3F) if len(packet) > 1 else 0
    return frame * (1, 2, 2)[frame_count_code]


def _opus_starts(reader: BinaryIO) -> Iterator[Page]:
    in_headers = False
    for page in pages(reader):
        starts_opus = page.is_first and page.body.startswith(_HEAD) and len(page.body) >= _SMALLEST_HEAD
        # Streams that play together have all their first pages at the start: of those, only one is the recording.
        if starts_opus and not in_headers:
            yield page
        in_headers = page.is_first and (in_headers or starts_opus)


def _stream_pages(reader: BinaryIO, position: int, serial: int) -> Iterator[Page]:
    reader.seek(position)
    for page in pages(reader):
        if page.serial != serial:
            continue
        if page.is_first and page.position != position:
            return
        yield page
        if page.is_last:
            return


def _audio_packets(run: ChunkRun, position: int, serial: int) -> Iterator[bytes]:
    with run.open() as reader:
        for number, (packet, _) in enumerate(packets(_stream_pages(reader, position, serial))):
            if number >= 2:
                yield packet


def _measured(run: ChunkRun, reader: BinaryIO, start: Page) -> OpusStream:
    tags = _NO_TAGS
    count = first = last = coded = on_last_page = offset = 0
    granule = last_page = NO_PACKET_ENDS_HERE
    for number, (packet, page) in enumerate(packets(_stream_pages(reader, start.position, start.serial))):
        if number < 2:
            tags = packet if packet.startswith(_TAGS) and len(packet) < LONGEST_PACKET else tags
            continue
        last = packet_samples(packet)
        first = first or last
        if page.position != last_page:
            if last_page != NO_PACKET_ENDS_HERE and count == 0:
                offset = 0
            last_page, on_last_page = page.position, 0
        count += 1
        coded += last
        on_last_page += last
        granule = page.granule
        if coded == on_last_page and not page.is_last:
            # A stream cut out of a longer one starts counting where it was cut.
            offset = max(0, granule - coded)
    trim = coded - (granule - offset)
    return OpusStream(
        packets=partial(_audio_packets, run, start.position, start.serial),
        serial=start.serial,
        head=start.body,
        tags=tags,
        packet_count=count,
        first_packet_samples=first,
        last_packet_samples=last,
        coded_samples=coded,
        # Padding is less than a page. A larger figure comes from lost pages or a writer that does not count.
        end_trim=trim if 0 <= trim <= on_last_page else 0,
    )


def _kept_ranges(streams: Sequence[OpusStream]) -> list[range]:
    starts = [0] * len(streams)
    stops = [stream.coded_samples for stream in streams]
    for index, (before, after) in enumerate(pairwise(streams)):
        padding = before.end_trim
        run_up = after.pre_skip
        whole = padding // before.last_packet_samples if before.last_packet_samples else 0
        stops[index] -= whole * before.last_packet_samples
        padding -= whole * before.last_packet_samples
        # The pre-skip is kept where possible: it lets the decoder forget the stream before.
        while padding + run_up > LONGEST_PADDING and run_up >= after.first_packet_samples > 0:
            starts[index + 1] += after.first_packet_samples
            run_up -= after.first_packet_samples
        if padding + run_up > LONGEST_PADDING:
            if 2 * padding >= before.last_packet_samples:
                stops[index] -= before.last_packet_samples
            elif 2 * run_up >= after.first_packet_samples:
                starts[index + 1] += after.first_packet_samples
    return [range(start, stop) for start, stop in zip(starts, stops, strict=True)]

"""Files as people really have them, made from valid ones: tracks, edit lists, gaps in the clock, headers that lie."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream

from tests.adapters.audio.samples import Samples

_BITEXACT = {"fflags": "+bitexact"}


@dataclass(frozen=True)
class TrackOf:
    """A track to be made: an encoder, a sound at the encoder's rate in Hz, and when it begins."""

    codec: str
    rate: int
    sound: Samples
    start_seconds: float = 0.0


def with_tracks(muxer: str, tracks: Sequence[TrackOf]) -> bytes:
    """One file with these sound tracks, in this order."""
    file = io.BytesIO()
    with av.open(file, "w", format=muxer, options=_BITEXACT) as container:
        streams = []
        for track in tracks:
            stream = cast(AudioStream, container.add_stream(track.codec, rate=track.rate))
            stream.codec_context.layout = "mono" if track.sound.shape[0] == 1 else "stereo"
            stream.codec_context.options = {"strict": "experimental"}
            streams.append(stream)
        packets = []
        for stream, track in zip(streams, tracks, strict=True):
            for frame in _frames(stream, track):
                packets += stream.encode(frame)
            packets += stream.encode(None)
        packets.sort(key=lambda packet: (packet.dts or 0) * (packet.time_base or Fraction(1)))
        for packet in packets:
            container.mux_one(packet)
    return file.getvalue()


def _frames(stream: AudioStream, track: TrackOf) -> list[av.AudioFrame]:
    layout = "mono" if track.sound.shape[0] == 1 else "stereo"
    source = av.AudioFrame.from_ndarray(np.ascontiguousarray(track.sound.T).reshape(1, -1), "s16", layout)
    source.rate = track.rate
    source.pts = round(track.start_seconds * track.rate)
    source.time_base = Fraction(1, track.rate)
    size = stream.codec_context.frame_size or 1024
    resampler = av.AudioResampler(stream.codec_context.format, layout, track.rate, frame_size=size)
    return [*resampler.resample(source), *resampler.resample(None)]


def with_gaps(content: bytes, muxer: str, gaps: Sequence[tuple[float, float]]) -> bytes:
    """The same packets in a new file, where the clock jumps: each of `gaps` is (at second, seconds of silence).

    A gap at second -1, before the encoder's run-up, is a late first timestamp. In Ogg, a page has one time for all its
    packets, so they are written with a page each.
    """
    file = io.BytesIO()
    options = _BITEXACT | ({"page_duration": "1000"} if muxer == "ogg" else {})
    with av.open(io.BytesIO(content), "r") as source, av.open(file, "w", format=muxer, options=options) as target:
        read = source.streams.audio[0]
        stream = target.add_stream_from_template(read)
        for packet in source.demux(read):
            if packet.pts is None or not packet.size:
                continue
            base = packet.time_base or Fraction(1)
            late = sum(seconds for at, seconds in gaps if packet.pts * base >= at)
            packet.pts += round(Fraction(late) / base)
            packet.dts = packet.pts
            packet.stream = stream
            target.mux_one(packet)
    return file.getvalue()


@dataclass(frozen=True)
class Edit:
    """One entry of an MP4's edit list. `start_seconds` None: nothing plays, so what follows comes later."""

    start_seconds: float | None
    seconds: float


def with_edits(content: bytes, edits: Sequence[Edit]) -> bytes:
    """The MP4, whose `moov` comes last, with this edit list in place of its own."""
    moov_at, moov = _box(content, 0, b"moov")
    assert moov_at + len(moov) == len(content)
    movie = _timescale(_box(moov, 8, b"mvhd")[1])
    trak_at, trak = _box(moov, 8, b"trak")
    mdia = _box(trak, 8, b"mdia")[1]
    media = _timescale(_box(mdia, 8, b"mdhd")[1])
    boxes = [box for box in _boxes(trak[8:]) if box[4:8] != b"edts"]
    entries = b"".join(
        struct.pack(
            ">IiI",
            round(edit.seconds * movie),
            -1 if edit.start_seconds is None else round(edit.start_seconds * media),
            1 << 16,
        )
        for edit in edits
    )
    edts = _boxed(b"edts", _boxed(b"elst", struct.pack(">II", 0, len(edits)) + entries))
    changed = _boxed(b"trak", b"".join([boxes[0], edts, *boxes[1:]]))
    return content[:moov_at] + _boxed(b"moov", moov[8:trak_at] + changed + moov[trak_at + len(trak) :])


def _boxed(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def _boxes(body: bytes) -> list[bytes]:
    boxes, at = [], 0
    while at < len(body):
        size = struct.unpack_from(">I", body, at)[0]
        boxes.append(body[at : at + size])
        at += size
    return boxes


def _box(content: bytes, start: int, name: bytes) -> tuple[int, bytes]:
    at = start
    for box in _boxes(content[start:]):
        if box[4:8] == name:
            return at, box
        at += len(box)
    raise LookupError(name)


def _timescale(header: bytes) -> int:
    """Of an `mvhd` or `mdhd` box of version 0, in units a second."""
    return int(struct.unpack_from(">I", header, 20)[0])


def with_unknown_codec(content: bytes, name: bytes, *, track: int) -> bytes:
    """The MP4 whose track of this number, from 0, has sample entries that nobody knows instead of `name`."""
    at = content.index(b"stsd")
    for _ in range(track):
        at = content.index(b"stsd", at + 1)
    named = content.index(name, at)
    # What AAC's own box says of the codec would count for more.
    described = content.index(b"esds", named)
    return content[:named] + b"zzzz" + content[named + 4 : described] + b"free" + content[described + 4 :]


def with_data_size(content: bytes, size: int) -> bytes:
    """A WAV of 44 bytes of header whose `data` claims this size in bytes."""
    return content[:40] + size.to_bytes(4, "little") + content[44:]


def with_list(content: bytes, *, excess: int = 0) -> bytes:
    """The WAV with a LIST of words behind its sound, which claims `excess` bytes more than there are."""
    words = b"INFOISFT" + (200).to_bytes(4, "little") + b"A recorder 1.0 " * 13 + b"12345"
    noted = content + b"LIST" + (len(words) + excess).to_bytes(4, "little") + words
    return noted[:4] + (len(noted) - 8).to_bytes(4, "little") + noted[8:]

"""Joins whole files of one codec without touching their packets."""

from collections.abc import Sequence
from fractions import Fraction
from typing import BinaryIO, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from adapters.audio.container import Container
from adapters.audio.demuxing import Sound, Track, track_of
from adapters.audio.flac import FlacWriter, StreamInfo
from adapters.audio.mpeg_frames import join_frames
from adapters.audio.ogg_opus import join_opus, opus_streams
from adapters.audio.wav import Wave, join_waves, read_wave
from adapters.audio.whole_files import WholeFile

WEBM_CODECS = ("opus", "vorbis")
"""What WebM may hold; with another codec the same container is plain Matroska."""


class CanNotRemux(Exception):
    """The container cannot take these packets without re-encoding."""


def remux(files: Sequence[WholeFile], sounds: Sequence[Sound], output: BinaryIO) -> Container | None:
    """Write the files as one. Returns its container, or None when they differ too much for that.

    Raises: CanNotRemux when that only shows while writing; AudioError for a damaged file; OSError when the output
    cannot be written.
    """
    first = sounds[0]
    alike = all(
        (sound.codec, sound.rate, sound.channels, sound.configuration)
        == (first.codec, first.rate, first.channels, first.configuration)
        for sound in sounds
    )
    containers = {file.container for file in files}
    if not alike:
        return None
    if first.codec == "flac" and containers <= {Container.FLAC, Container.OGG}:
        return _remux_flac(files, output)
    if len(containers) > 1:
        return None
    match files[0].container:
        case Container.WAV:
            return _remux_waves(files, output)
        case Container.OGG if first.codec == "opus":
            return _remux_opus(files, output)
        case Container.MP3 | Container.ADTS as container:
            join_frames([file.run for file in files], output)
            return container
        case Container.OGG | Container.MP4 | Container.MATROSKA as container:
            return _remux_packets(files, container, first.codec, output)
        case _:
            return None


def _remux_waves(files: Sequence[WholeFile], output: BinaryIO) -> Container | None:
    waves: list[Wave] = []
    for file in files:
        with file.run.open() as reader:
            wave = read_wave(reader, file.run.size_bytes)
        if wave is None or not wave.format.is_sample_based or (waves and wave.format != waves[0].format):
            return None
        waves.append(wave)
    join_waves([file.run for file in files], waves, output)
    return Container.WAV


def _remux_opus(files: Sequence[WholeFile], output: BinaryIO) -> Container | None:
    streams = [stream for file in files for stream in opus_streams(file.run)]
    if len({stream.layout for stream in streams}) != 1:
        return None
    join_opus(streams, output)
    return Container.OGG


def _remux_flac(files: Sequence[WholeFile], output: BinaryIO) -> Container | None:
    infos = []
    for file in files:
        with track_of(file) as track:
            infos.append(StreamInfo.of(track.stream.codec_context.extradata or b""))
    first = infos[0]
    if first is None or any(info is None or info.bits != first.bits for info in infos):
        return None
    writer = FlacWriter(output, first)
    for file in files:
        with track_of(file) as track:
            writer.write_frames(bytes(packet) for packet in track.packets())
    writer.close()
    return Container.FLAC


def _remux_packets(files: Sequence[WholeFile], container: Container, codec: str, output: BinaryIO) -> Container | None:
    # "bitexact" leaves out what would differ from one run to the next: random ids, versions, the time of day.
    with av.open(output, "w", format=_muxer(container, codec), options={"fflags": "+bitexact"}) as muxed:
        joined = _JoinedPackets(muxed)
        for file in files:
            with track_of(file) as track:
                joined.add(track, is_last=file is files[-1])
        if joined.is_empty:
            return None
    return container


def _muxer(container: Container, codec: str) -> str:
    if container is Container.MATROSKA:
        return "webm" if codec in WEBM_CODECS else "matroska"
    return {Container.MP4: "mp4", Container.OGG: "ogg"}[container]


class _JoinedPackets:
    """Packets of several files on one clock."""

    def __init__(self, output: OutputContainer) -> None:
        self._output = output
        self._target: AudioStream | None = None
        self._end = Fraction(0)

    @property
    def is_empty(self) -> bool:
        return self._end == 0

    def add(self, track: Track, *, is_last: bool) -> None:
        if self._target is None:
            self._target = self._output.add_stream_from_template(track.stream)
        shift: int | None = None
        for packet in track.packets():
            pts = cast(int, packet.pts)
            if shift is None:
                # In the first file, the encoder's delay before zero stays before zero. In later ones it is heard, so
                # that no packet is lost.
                shift = -max(0, pts) if self.is_empty else round(self._end / track.time_base) - pts
            duration = self._duration(track, packet)
            packet.stream = self._target
            packet.time_base = track.time_base
            packet.pts = packet.dts = pts + shift
            if not is_last or not track.declared_duration(packet):
                packet.duration = duration
            self._end = (pts + shift + duration) * track.time_base
            try:
                self._output.mux_one(packet)
            except av.FFmpegError as error:
                raise CanNotRemux from error

    def _duration(self, track: Track, packet: "Packet[AudioStream]") -> int:
        # Matroska notes the padding of any packet, and players skip it; elsewhere only the last packet's is skipped,
        # and a packet in the middle lasts as long as its decoded sound.
        if self._output.format.name in ("matroska", "webm") and (declared := track.declared_duration(packet)):
            return declared
        return track.natural_duration(packet)

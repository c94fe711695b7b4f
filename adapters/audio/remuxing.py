"""Joins whole files of one codec without touching their packets, where that gives exactly what was recorded.

It does for samples, for FLAC, for bare frames, and for Opus within 20 ms at each join or gap. Other codecs begin each
file with the encoder's delay and end it with padding, which a player skips in a file of its own, and would play at a
join.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import BinaryIO

from av.audio.stream import AudioStream
from av.packet import Packet

from adapters.audio.clock import FLICKS, Clock, Moment
from adapters.audio.container import Container
from adapters.audio.decoding import with_next
from adapters.audio.demuxing import track_of
from adapters.audio.flac import FlacWriter, StreamInfo
from adapters.audio.mpeg_frames import join_frames, seconds_of_frames
from adapters.audio.ogg_opus import (
    SAMPLE_RATE,
    SILENT_SAMPLES,
    OpusStream,
    join_opus,
    opus_stream,
    opus_streams,
    packet_samples,
    pre_skip,
    silent_packets,
)
from adapters.audio.survey import Survey
from adapters.audio.wav import Wave, join_waves, read_wave
from adapters.audio.whole_files import WholeFile

_EXACT = Fraction(1, 1000)
_ONE_PACKET = Fraction(SILENT_SAMPLES, SAMPLE_RATE)


def remux(surveys: Sequence[Survey], output: BinaryIO) -> Container | None:
    """Write the files as one. Returns its container, or None when they differ too much for that.

    Raises: AudioError for a damaged file; OSError when the output cannot be written.
    """
    sounds = [sound for survey in surveys for sound in survey.sounds]
    forms = {(sound.codec, sound.rate, sound.channels, sound.configuration) for sound in sounds}
    if len(forms) > 1 or not all(survey.is_whole for survey in surveys):
        return None
    codec = sounds[0].codec
    containers = {survey.file.container for survey in surveys}
    if codec == "opus":
        return _remux_opus(surveys, output)
    if not all(survey.is_plain for survey in surveys):
        return None
    if codec == "flac" and containers <= {Container.FLAC, Container.OGG}:
        return _remux_flac(surveys, output)
    if containers == {Container.WAV}:
        return _remux_waves(surveys, output)
    if containers in ({Container.MP3}, {Container.ADTS}):
        return _remux_frames(surveys, output)
    return None


def _remux_waves(surveys: Sequence[Survey], output: BinaryIO) -> Container | None:
    runs = [survey.file.run for survey in surveys]
    waves: list[Wave] = []
    for run in runs:
        with run.open() as reader:
            wave = read_wave(reader, run.size_bytes)
        if wave is None or not wave.format.is_sample_based or (waves and wave.format != waves[0].format):
            return None
        waves.append(wave)
    join_waves(runs, waves, output)
    return Container.WAV


def _remux_frames(surveys: Sequence[Survey], output: BinaryIO) -> Container | None:
    for survey in surveys:
        if abs(seconds_of_frames(survey.file.run) - survey.seconds) > _EXACT:
            return None
    join_frames([survey.file.run for survey in surveys], output)
    return surveys[0].file.container


def _remux_opus(surveys: Sequence[Survey], output: BinaryIO) -> Container | None:
    streams: list[OpusStream] = []
    for survey in surveys:
        is_measured_by_pages = survey.is_plain and survey.file.container is Container.OGG
        found = opus_streams(survey.file.run) if is_measured_by_pages else [_opus_in(survey)]
        differing = abs(Fraction(sum(stream.samples for stream in found), SAMPLE_RATE) - survey.seconds)
        if differing > (_EXACT if survey.is_plain else _ONE_PACKET):
            return None
        streams += found
    layouts = {stream.layout for stream in streams}
    if len(layouts) != 1 or (streams[0].mapping and not all(survey.is_plain for survey in surveys)):
        return None
    join_opus(streams, output)
    return Container.OGG


def _opus_in(survey: Survey) -> OpusStream:
    """The Opus track of a file, with silent packets where its clock has gaps."""
    index = survey.sounds[0].index
    with track_of(survey.file, index) as track:
        head = track.stream.codec_context.extradata or b""
    return opus_stream(
        head, partial(_opus_packets, survey.file, index, head), heard_samples=round(survey.seconds * SAMPLE_RATE)
    )


def _opus_packets(file: WholeFile, index: int, head: bytes) -> Iterator[bytes]:
    clock = Clock()
    owed = 0
    delay = pre_skip(head) * FLICKS // SAMPLE_RATE
    with track_of(file, index) as track:

        def moment_of(packet: "Packet[AudioStream] | None") -> Moment | None:
            if packet is None:
                return None
            length = packet_samples(bytes(packet)) * FLICKS // SAMPLE_RATE
            return track.moment_of_packet(packet, length=length, delay=delay)

        for packet, following in with_next(track.packets()):
            moment = moment_of(packet)
            if moment is not None:
                owed += clock.silence_before(moment, moment_of(following))
            silent, owed = divmod(owed, SILENT_SAMPLES * FLICKS // SAMPLE_RATE)
            yield from silent_packets(head, silent)
            yield bytes(packet)


def _remux_flac(surveys: Sequence[Survey], output: BinaryIO) -> Container | None:
    infos = []
    for survey in surveys:
        with track_of(survey.file, survey.sounds[0].index) as track:
            infos.append(StreamInfo.of(track.stream.codec_context.extradata or b""))
    first = infos[0]
    if first is None or any(info is None or info.bits != first.bits for info in infos):
        return None
    writer = FlacWriter(output, first)
    for survey in surveys:
        with track_of(survey.file, survey.sounds[0].index) as track:
            writer.write_frames(bytes(packet) for packet in track.packets())
    writer.close()
    return Container.FLAC

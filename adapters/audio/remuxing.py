"""Joins whole files of one codec without touching their packets, where that gives exactly what was recorded.

It does for samples, for FLAC, for bare frames, and for Opus within 20 ms at each join. Other codecs begin each file
with the encoder's delay and end it with padding, which a player skips in a file of its own and would play at a join.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import BinaryIO

from adapters.audio.container import Container
from adapters.audio.demuxing import track_of
from adapters.audio.flac import FlacWriter, StreamInfo
from adapters.audio.mpeg_frames import join_frames, seconds_of_frames
from adapters.audio.ogg_opus import SAMPLE_RATE, OpusStream, join_opus, opus_stream, opus_streams
from adapters.audio.survey import Survey
from adapters.audio.wav import Wave, join_waves, read_wave

_EXACT = Fraction(1, 1000)


def remux(surveys: Sequence[Survey], output: BinaryIO) -> Container | None:
    """Write the files as one. Returns its container, or None when they differ too much for that.

    Raises: AudioError for a damaged file; OSError when the output cannot be written.
    """
    sounds = [sound for survey in surveys for sound in survey.sounds]
    forms = {(sound.codec, sound.rate, sound.channels, sound.configuration) for sound in sounds}
    if len(forms) > 1 or not all(survey.is_plain for survey in surveys):
        return None
    codec = sounds[0].codec
    containers = {survey.file.container for survey in surveys}
    if codec == "flac" and containers <= {Container.FLAC, Container.OGG}:
        return _remux_flac(surveys, output)
    if codec == "opus":
        return _remux_opus(surveys, output)
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
        found = opus_streams(survey.file.run) if survey.file.container is Container.OGG else [_opus_in(survey)]
        if abs(Fraction(sum(stream.samples for stream in found), SAMPLE_RATE) - survey.seconds) > _EXACT:
            return None
        streams += found
    if len({stream.layout for stream in streams}) != 1:
        return None
    join_opus(streams, output)
    return Container.OGG


def _opus_in(survey: Survey) -> OpusStream:
    """The Opus track of a file in another container."""

    def packets() -> Iterator[bytes]:
        with track_of(survey.file, survey.sounds[0].index) as track:
            yield from (bytes(packet) for packet in track.packets())

    with track_of(survey.file, survey.sounds[0].index) as track:
        head = track.stream.codec_context.extradata or b""
    return opus_stream(head, packets, heard_samples=round(survey.seconds * SAMPLE_RATE))


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

"""Reads the sound track of a file through PyAV (FFmpeg): its packets, its frames, its format and its length.

Damage becomes an `AudioError`; an `OSError` of the file's own reader passes through as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.audio.format import AudioFormat
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from adapters.audio import mpeg_frames
from adapters.audio.chunk_bytes import ChunkReader, ChunkRun
from adapters.audio.container import Container
from adapters.audio.errors import NotAudio, UnsupportedAudio
from adapters.audio.ogg_opus import SAMPLE_RATE, opus_streams, packet_samples
from adapters.audio.wav import read_wave
from adapters.audio.whole_files import WholeFile

_BYTES_OF_S16 = 2
_LONGEST_PACKET_SECONDS = 10
_BELIEVABLE_RATES = range(1_000, 768_001)
"""From a false rate of 1 Hz, a small file would be resampled to a huge one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A sound track's format and length. Files with equal `configuration` can share one decoder."""

    codec: str
    rate: int
    channels: int
    bits: int
    """Bits per sample; 16 where the codec does not say."""
    configuration: bytes
    seconds: Fraction
    """Counted from its samples or packets, never estimated from a bit rate."""


@dataclass(frozen=True, slots=True)
class Track:
    """An open file and its first sound track."""

    container: InputContainer
    stream: AudioStream

    @property
    def time_base(self) -> Fraction:
        """The unit of a packet's times, in seconds."""
        return self.stream.time_base or Fraction(1, self.stream.rate)

    @property
    def codec(self) -> str:
        # A decoder's name says how it computes ("mp3float"), the codec's what it reads.
        return self.stream.codec_context.codec.canonical_name

    def packets(self) -> "Iterator[Packet[AudioStream]]":
        """Packets with sound, in order."""
        for packet in self.container.demux(self.stream):
            if packet.size and packet.pts is not None:
                yield packet

    def frames(self) -> Iterator[AudioFrame]:
        """Decoded sound. Damaged packets are left out: the rest of the recording is still worth having."""
        any_frame = False
        damage: av.FFmpegError | None = None
        for packet in self.container.demux(self.stream):
            try:
                decoded = packet.decode()
            except (av.InvalidDataError, av.EOFError) as error:
                damage = error
                continue
            for frame in decoded:
                any_frame = True
                yield frame
        if damage is not None and not any_frame:
            raise damage

    def natural_duration(self, packet: "Packet[AudioStream]") -> int:
        """How long the packet is once decoded, in the stream's time base. A file's last packet may declare less."""
        samples = self.stream.codec_context.frame_size
        rate = self.stream.rate
        if self.codec == "opus":
            samples, rate = packet_samples(bytes(packet)), SAMPLE_RATE
        return max(self.declared_duration(packet), round(Fraction(samples, rate) / self.time_base))

    def declared_duration(self, packet: "Packet[AudioStream]") -> int:
        """How long the file says that the packet lasts, in the stream's time base."""
        duration = packet.duration or 0
        # A last page that ends before it begins makes FFmpeg count below zero, which arrives here as just under 2^32.
        return duration if 0 < duration * self.time_base < _LONGEST_PACKET_SECONDS else 0


@contextmanager
def track_of(file: WholeFile) -> Iterator[Track]:
    """Open a file's sound track.

    Raises: NotAudio for a damaged file, UnsupportedAudio for one without sound, OSError from its reader.
    """
    number = file.run.first_number
    with file.run.open() as reader:
        try:
            with av.open(
                reader, "r", format=file.container.demuxer, options=_options(file, reader), metadata_errors="replace"
            ) as container:
                if not container.streams.audio:
                    raise UnsupportedAudio(chunk_number=number, detail="has no sound track")
                stream = container.streams.audio[0]
                # Whatever PyAV's stubs say, this is None for a codec that FFmpeg has no decoder for.
                if stream.codec_context is None:
                    raise UnsupportedAudio(chunk_number=number, detail="has sound in a codec that cannot be decoded")
                if stream.rate not in _BELIEVABLE_RATES or stream.channels <= 0:
                    raise NotAudio(chunk_number=number, detail="is damaged: its header makes no sense")
                # One thread per worker process: the machine's other cores belong to other work.
                stream.codec_context.thread_count = 1
                yield Track(container, stream)
        except (av.DecoderNotFoundError, av.PatchWelcomeError) as error:
            raise UnsupportedAudio(chunk_number=number, detail="has sound in a codec that cannot be decoded") from error
        except av.FFmpegError as error:
            raise NotAudio(chunk_number=number, detail="is damaged: its sound can not be read") from error


def _options(file: WholeFile, reader: ChunkReader) -> dict[str, str]:
    if file.container is Container.WAV:
        wave = read_wave(reader, file.run.size_bytes)
        reader.seek(0)
        if wave is not None and not wave.sizes_are_right:
            return {"ignore_length": "1"}
    reader.seek(0)
    return {}


def sound_of(file: WholeFile) -> Sound:
    """A file's sound track. Raises what `track_of` raises."""
    with track_of(file) as track:
        context = track.stream.codec_context
        known = Sound(
            codec=track.codec,
            rate=track.stream.rate,
            channels=track.stream.channels,
            bits=_bits(context.format),
            configuration=_configuration(track),
            seconds=Fraction(0),
        )
    seconds = _seconds_by_own_count(file, known)
    if seconds is None:
        with track_of(file) as track:
            seconds = _seconds_of_packets(track)
    return Sound(
        codec=known.codec,
        rate=known.rate,
        channels=known.channels,
        bits=known.bits,
        configuration=known.configuration,
        seconds=seconds,
    )


def _bits(sample_format: AudioFormat | None) -> int:
    return 16 if sample_format is None or sample_format.bytes <= _BYTES_OF_S16 else 24


def _configuration(track: Track) -> bytes:
    extradata = track.stream.codec_context.extradata or b""
    if track.codec == "opus":
        # Encoder delay and recorded rate differ from file to file and do not matter to a decoder.
        return extradata[:10] + extradata[16:]
    return b"" if track.codec == "flac" else extradata


def _seconds_by_own_count(file: WholeFile, sound: Sound) -> Fraction | None:
    if file.container is Container.OGG and sound.codec == "opus":
        return Fraction(sum(stream.samples for stream in opus_streams(file.run)), SAMPLE_RATE)
    if file.container is Container.WAV:
        with file.run.open() as reader:
            wave = read_wave(reader, file.run.size_bytes)
        if wave is not None and wave.format.is_sample_based:
            return Fraction(wave.samples, wave.format.rate)
    if file.container.is_bare_frames:
        return _seconds_of_frames(file.run)
    return None


def _seconds_of_frames(run: ChunkRun) -> Fraction:
    """Frames counted one by one, minus the delay and padding that the encoder noted."""
    samples, padding, rate = 0, 0, 1
    with run.open() as reader:
        for frame in mpeg_frames.frames(reader, run.size_bytes):
            rate = frame.format.rate
            if samples == 0:
                reader.seek(frame.position)
                first = reader.read(frame.size_bytes)
                if mpeg_frames.is_xing(first, frame.format):
                    padding = mpeg_frames.gapless_padding(first, frame.format)
                    continue
            samples += frame.samples
    return Fraction(max(0, samples - padding), rate)


def _seconds_of_packets(track: Track) -> Fraction:
    start: int | None = None
    end = 0
    for packet in track.packets():
        pts = cast(int, packet.pts)
        start = pts if start is None else min(start, pts)
        end = max(end, pts + track.declared_duration(packet))
    # Packets before zero are the encoder's delay, which is not heard. A live stream may begin late on its clock.
    return (end - max(0, start or 0)) * track.time_base

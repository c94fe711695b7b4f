"""Opens files through PyAV (FFmpeg): their sound tracks, and these tracks' packets and decoded frames.

Damage becomes an `AudioError`; an `OSError` of the file's own reader passes through as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import av.logging
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from adapters.audio import ogg
from adapters.audio.allocations import limit_allocations
from adapters.audio.chunk_bytes import ChunkRun
from adapters.audio.clock import FLICKS, Moment
from adapters.audio.container import Container
from adapters.audio.errors import NotAudio, UnsupportedAudio
from adapters.audio.sound_only import sound_only
from adapters.audio.whole_files import WholeFile

_LONGEST_PACKET = 10 * FLICKS
_BELIEVABLE_RATES = range(1_000, 768_001)
"""From a false rate of 1 Hz, a small file would be resampled to a huge one."""

_MOST_CHANNELS = 64
_MOST_TRACKS = 16
_FREE_LINKS, _BYTES_PER_LINK = 1_000, 1 << 14

_CLOCKS_FROM_ZERO = (Container.OGG, Container.MP4, Container.MATROSKA, Container.FLAC)
"""Their clock begins with the recording, so that a late first time is silence."""

_CLOCKS_FROM_ANYWHERE = (Container.MPEG_TS, Container.MPEG_PS, Container.ASF, Container.FLV)
"""Their clock is some machine's, and only the times between their tracks and packets count."""


@dataclass(frozen=True, slots=True)
class Undecoded:
    """A packet that cannot be decoded: where it begins in the track's run and what the decoder says, if known."""

    position: int | None
    moment: Moment
    error: av.FFmpegError | None


@dataclass(frozen=True, slots=True)
class Track:
    """An open file and one of its sound tracks. `run`: the bytes that it is read from, to which positions refer."""

    run: ChunkRun
    container: InputContainer
    stream: AudioStream
    origin: int | None
    """The time on the file's clock, in flicks, at which the recording begins; None if the file has no clock."""
    declares_padding: bool
    """Whether the last packet's declared length leaves out padding that FFmpeg decodes all the same, as in MP4."""

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
        return (packet for packet in self._all_packets() if packet.size)

    def _all_packets(self) -> "Iterator[Packet[AudioStream]]":
        """Packets with sound, and then an empty one, at which the decoder gives what it still holds."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                yield next(packets)
            except StopIteration:
                return
            except IndexError:
                # PyAV stumbles over a track that begins midway, as a transport stream's may; once, and then knows it.
                packets = self.container.demux(self.stream)

    def frames(self) -> Iterator[AudioFrame | Undecoded]:
        """Decoded sound, and what cannot be decoded: the rest of the recording is still worth having.

        Raises: av.FFmpegError when there is nothing but damage.
        """
        damage: av.FFmpegError | None = None
        any_sound = False
        for piece in self._pieces():
            if isinstance(piece, Undecoded):
                damage = damage or piece.error
            else:
                any_sound = True
            yield piece
        if damage is not None and not any_sound:
            raise damage

    def _pieces(self) -> Iterator[AudioFrame | Undecoded]:
        early: int | None = None
        try:
            for packet in self._all_packets():
                if early is None:
                    # Vorbis' first packet gives no sound; where all is on one page, FFmpeg gives it time all the same.
                    early = -1 if self.codec == "vorbis" and packet.pts == 0 else 0
                for piece in self._decoded(packet):
                    if early and isinstance(piece, AudioFrame) and piece.pts is not None:
                        early = piece.pts if early < 0 else early
                        piece.pts -= early
                    yield piece
        except av.FFmpegError as error:
            yield Undecoded(None, Moment(None, 0), error)

    def _decoded(self, packet: "Packet[AudioStream]") -> Iterator[AudioFrame | Undecoded]:
        length = _flicks(packet.duration or 0, self.time_base)
        lost = Moment(None, length if 0 < length < _LONGEST_PACKET else 0)
        complaints = av.logging.get_last_error()[0]
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if packet.size:
                yield Undecoded(packet.pos, lost, error)
            return
        if av.logging.get_last_error()[0] > complaints:  # some decoders only log it, and go on behind the damage
            yield Undecoded(packet.pos, Moment(None, 0), None)
        for frame in frames:
            is_believable = frame.sample_rate in _BELIEVABLE_RATES and 0 < frame.layout.nb_channels <= _MOST_CHANNELS
            yield frame if is_believable else Undecoded(packet.pos, lost, None)

    def last(self, frame: AudioFrame) -> AudioFrame:
        """The track's last frame, without the padding that its file says is in it."""
        length = frame.duration * (frame.time_base or self.time_base)
        samples = round(length * frame.sample_rate)
        if not self.declares_padding or not 0 < samples < frame.samples:
            return frame
        time, unit = frame.pts, frame.time_base
        frame.pts = None
        whole = AudioFifo()  # not `to_ndarray`: PyAV crashes there on eight planar channels
        whole.write(frame)
        cut = whole.read(samples)
        if cut is None:
            return frame
        cut.pts, cut.time_base = time, unit
        return cut

    def moment_of(self, frame: AudioFrame) -> Moment:
        """When the frame is heard, counted from the recording's beginning."""
        length = frame.samples * FLICKS // frame.sample_rate
        return Moment(self._start(frame.pts, frame.time_base), length)

    def moment_of_packet(self, packet: "Packet[AudioStream]", *, length: int, delay: int) -> Moment:
        """When a packet's sound is heard. `length`, and `delay`, the encoder's at the beginning, are in flicks."""
        start = self._start(packet.pts, packet.time_base)
        return Moment(None if start is None else start + delay, length)

    def _start(self, time: int | None, unit: Fraction | None) -> int | None:
        return None if self.origin is None or time is None else _flicks(time, unit or self.time_base) - self.origin


def _flicks(count: int, unit: Fraction) -> int:
    return count * unit.numerator * FLICKS // unit.denominator


def links_of(file: WholeFile) -> list[WholeFile]:
    """The files that are chained in an Ogg file; any other file alone. FFmpeg gives up where links differ in form.

    Of more links than a recorder makes, the last ones stay together: each takes a millisecond to open.
    """
    if file.container is not Container.OGG:
        return [file]
    with file.run.open() as reader:
        found = ogg.links(reader)[1:]
    most = _FREE_LINKS + len(file.run.pieces) + file.run.size_bytes // _BYTES_PER_LINK
    starts = [0, *found[:most], file.run.size_bytes]
    return [WholeFile(file.container, file.run.part(start, stop)) for start, stop in pairwise(starts)]


@dataclass(frozen=True, slots=True)
class TrackList:
    """A file's sound tracks that FFmpeg knows, with their channels by their stream's index, and how many others."""

    playable: dict[int, int]
    unknown: int


def tracks_in(file: WholeFile) -> TrackList:
    """The sound tracks of a file. Raises: what `track_of` raises; UnsupportedAudio when none can be decoded."""
    number = file.run.first_number
    with _opened(sound_only(file), file.container) as container:
        sounding = list(container.streams.audio)
        if not sounding:
            raise UnsupportedAudio(chunk_number=number, detail="has no sound track")
        # Whatever PyAV's stubs say, this is None for a codec that FFmpeg has no decoder for.
        known = [stream for stream in sounding if stream.codec_context is not None]
        sensible = [stream for stream in known if stream.rate in _BELIEVABLE_RATES and stream.channels > 0]
        if not known:
            raise UnsupportedAudio(chunk_number=number, detail="has sound in a codec that cannot be decoded")
        if not sensible:
            raise NotAudio(chunk_number=number, detail="is damaged: its header makes no sense")
        playable = {stream.index: stream.channels for stream in sensible[:_MOST_TRACKS]}
        return TrackList(playable, len(sounding) - len(known))


@contextmanager
def track_of(file: WholeFile, index: int) -> Iterator[Track]:
    """Open a file's sound track, by its stream's index.

    Raises: NotAudio for a damaged file, UnsupportedAudio for one without sound, OSError from its reader.
    """
    run = sound_only(file)
    with _opened(run, file.container) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            raise NotAudio(chunk_number=file.run.first_number, detail="is damaged: its header makes no sense")
        # One thread per worker process: the machine's other cores belong to other work.
        stream.codec_context.thread_count = 1
        yield Track(run, container, stream, _origin(file, container), declares_padding=file.container is Container.MP4)


@contextmanager
def arriving_track(reader: Any, kind: Container) -> Iterator[Track | None]:
    """The sound track of a file that is read as it comes; None unless there is just one. `reader` only has `read`.

    Raises: NotAudio for a damaged file, UnsupportedAudio for one without sound.
    """
    run = ChunkRun(())
    with _opened_reader(reader, kind, None) as container:
        sounding = list(container.streams.audio)
        if len(sounding) != 1 or sounding[0].codec_context is None or sounding[0].rate not in _BELIEVABLE_RATES:
            yield None
            return
        sounding[0].codec_context.thread_count = 1
        origin = _origin(WholeFile(kind, run), container)
        yield Track(run, container, sounding[0], origin, declares_padding=kind is Container.MP4)


def _origin(file: WholeFile, container: InputContainer) -> int | None:
    if file.container in _CLOCKS_FROM_ZERO:
        return 0
    if file.container in _CLOCKS_FROM_ANYWHERE:
        starts = [
            _flicks(stream.start_time, stream.time_base)
            for stream in container.streams.audio
            if stream.start_time is not None and stream.time_base is not None
        ]
        return min(starts, default=None)
    return None


@contextmanager
def _opened(run: ChunkRun, kind: Container) -> Iterator[InputContainer]:
    with run.open() as reader, _opened_reader(reader, kind, run.first_number) as container:
        yield container


@contextmanager
def _opened_reader(reader: Any, kind: Container, number: int | None) -> Iterator[InputContainer]:
    limit_allocations()
    try:
        with av.open(reader, "r", format=kind.demuxer, metadata_errors="replace") as container:
            yield container
    except (av.DecoderNotFoundError, av.PatchWelcomeError) as error:
        raise UnsupportedAudio(chunk_number=number, detail="has sound in a codec that cannot be decoded") from error
    except av.FFmpegError as error:
        raise NotAudio(chunk_number=number, detail="is damaged: its sound cannot be read") from error

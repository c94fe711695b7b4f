"""What a file holds, found by decoding all of it once: headers lie, and only decoding shows what a player plays."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import av
import av.logging
from av.audio.format import AudioFormat
from av.audio.frame import AudioFrame

from adapters.audio.clock import FLICKS
from adapters.audio.container import Container
from adapters.audio.damage import Damage
from adapters.audio.decoding import Silence, played
from adapters.audio.demuxing import Track, Undecoded, track_of, tracks_in
from adapters.audio.errors import AudioError, NotAudio, UnsupportedAudio
from adapters.audio.whole_files import WholeFile

_BYTES_OF_S16 = 2
_LOSSLESS = ("flac", "alac", "wavpack", "ape", "tta")
_COMPANDED = ("pcm_alaw", "pcm_mulaw")
_SAY_THEIR_LENGTH = (Container.FLAC, Container.MP4, Container.MATROSKA)
"""Files that may hold days of sound in few bytes. WAV has as many bytes as sound, and often says what is not so."""

_CREDIBLE_SECONDS = 366 * 24 * 3600
_FLAC_STREAMED = (1 << 36) - 1
"""What some encoders write for a number of samples that they do not know."""

_WORTH_TELLING = FLICKS // 10
_UNKNOWN_LENGTH = FLICKS // 50
"""How long a packet counts that does not say it: so that one at a file's edge is not told, and a row of them is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One sound track. Tracks with equal `configuration` can share one decoder."""

    index: int
    codec: str
    rate: int
    """The highest, where it changes midway; so with the channels."""
    channels: int
    bits: int
    """Bits per sample; 16 where the codec does not say."""
    configuration: bytes
    seconds: Fraction
    """As played: counted from decoded samples, gaps in the clock included."""
    is_whole: bool
    """Whether all of it can be decoded, and in one form."""
    has_gaps: bool
    """Whether the clock leaves silence in it, which not every player plays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A file, its sound tracks that can be decoded, and what is damaged in it."""

    file: WholeFile
    sounds: tuple[Sound, ...]
    damage: tuple[Damage, ...]
    is_whole: bool
    """Whether it is one track, and a player plays it without complaint."""

    @property
    def is_plain(self) -> bool:
        """Whether every player plays it alike."""
        return self.is_whole and not self.sounds[0].has_gaps

    @property
    def seconds(self) -> Fraction:
        return max(sound.seconds for sound in self.sounds)

    @property
    def channels(self) -> int:
        return sum(sound.channels for sound in self.sounds)


def survey(file: WholeFile, *, most_seconds: Fraction | None = None) -> Survey:
    """Decode the file, or as much of it as lasts `most_seconds`.

    Raises: TooMuchSound as soon as it is known that there is more; NotAudio, UnsupportedAudio when no track has sound;
    OSError from its reader.
    """
    found = tracks_in(file)
    sounds: list[Sound] = []
    damage: dict[tuple[int, str], Damage] = {}
    refused: AudioError | None = None
    with complaints() as count:
        for index in found.playable:
            try:
                sound, broken = _heard(file, index, most_seconds)
            except (NotAudio, UnsupportedAudio) as error:
                refused = error
                continue
            sounds.append(sound)
            damage |= {(each.chunk_number, each.reason): each for each in broken}
    if not sounds:
        raise refused or NotAudio(chunk_number=file.run.first_number, detail="has no sound in it that can be decoded")
    silent = found.unknown + len(found.playable) - len(sounds)
    if silent:
        first = file.run.first_number or 1
        damage[first, "unsupported_audio"] = Damage(
            chunk_number=first,
            reason="unsupported_audio",
            message=f"Chunk {first} has a sound track in a codec that cannot be decoded; the others were kept.",
        )
    return Survey(
        file=file,
        sounds=tuple(sounds),
        damage=tuple(damage[key] for key in sorted(damage)),
        is_whole=len(sounds) == 1 and not damage and sounds[0].is_whole and count() == 0,
    )


class TooMuchSound(Exception):
    """A file lasts longer than was asked for, or says that it does."""


@dataclass(slots=True)
class HeardTrack:
    """What was heard of a track so far, and what could not be decoded, in flicks by chunk number."""

    track: Track
    index: int
    is_exact: bool
    most: int | None
    rate: int = 0
    channels: int = 0
    length: int = 0
    has_gaps: bool = False
    forms: set[tuple[str, int, int]] = field(default_factory=set)
    lost: Counter[int] = field(default_factory=Counter)

    def parts(self) -> Iterator[AudioFrame | Silence]:
        """What a player plays of it, noted. Raises: TooMuchSound."""
        for part in played(self.track, on_undecoded=self._lose):
            self._add(part)
            yield part

    def sound(self) -> Sound:
        """What the track was found to be, once all parts were heard."""
        track = self.track
        return Sound(
            index=self.index,
            codec=track.codec,
            rate=self.rate or track.stream.rate,
            channels=self.channels or track.stream.channels,
            bits=_bits(track.codec, track.stream.codec_context.format),
            configuration=_configuration(track),
            seconds=Fraction(self.length, FLICKS),
            is_whole=len(self.forms) <= 1 and not self.lost,
            has_gaps=self.has_gaps,
        )

    def _add(self, part: AudioFrame | Silence) -> None:
        if isinstance(part, Silence):
            self._lengthen(part.length)
            self.has_gaps = True
            return
        self._lengthen(part.samples * FLICKS // part.sample_rate)
        form = (part.format.name, part.layout.nb_channels, part.sample_rate)
        if form not in self.forms:
            self.forms.add(form)
            self.rate, self.channels = max(self.rate, part.sample_rate), max(self.channels, part.layout.nb_channels)

    def _lengthen(self, length: int) -> None:
        self.length += length
        if self.most is not None and self.length > self.most:
            raise TooMuchSound

    def _lose(self, undecoded: Undecoded) -> None:
        length = undecoded.moment.length or _UNKNOWN_LENGTH
        # Slices of other codecs lose a frame where one was cut; FLAC loses none that is not damaged.
        self.lost[self._chunk_at(undecoded.position)] += max(length, _WORTH_TELLING) if self.is_exact else length

    def _chunk_at(self, position: int | None) -> int:
        numbers = () if position is None else self.track.run.numbers_in(range(position, position + 1))
        return next(iter(numbers), self.track.run.first_number or 1)

    def damage(self) -> list[Damage]:
        return [
            Damage(
                chunk_number=number,
                reason="damaged",
                message=f"Chunk {number} is damaged: some of its sound cannot be decoded and was left out.",
            )
            for number, length in self.lost.items()
            if length >= _WORTH_TELLING
        ]


def _heard(file: WholeFile, index: int, most_seconds: Fraction | None) -> tuple[Sound, list[Damage]]:
    most = None if most_seconds is None else int(most_seconds * FLICKS)
    with track_of(file, index) as track:
        heard = HeardTrack(track, index, is_exact=file.container is Container.FLAC, most=most)
        if most_seconds is not None and seconds_claimed(file, track) > most_seconds:
            raise TooMuchSound
        for _ in heard.parts():
            pass
        return heard.sound(), heard.damage()


def seconds_claimed(file: WholeFile, track: Track) -> Fraction:
    """How long the file's header says that the track is; 0 where nobody can mean it, or FFmpeg guessed it."""
    stream, container = track.stream, file.container
    if container not in _SAY_THEIR_LENGTH or (container is Container.FLAC and stream.duration == _FLAC_STREAMED):
        return Fraction(0)
    if stream.duration is None:
        claimed = Fraction(track.container.duration or 0, av.time_base)
    else:
        # FFmpeg has a fragmented MP4 last until its last fragment's time, on a clock that may have begun in 1970.
        claimed = (stream.duration - max(0, stream.start_time or 0)) * track.time_base
    return claimed if claimed < _CREDIBLE_SECONDS else Fraction(0)


def _bits(codec: str, sample_format: AudioFormat | None) -> int:
    """Of what was recorded: lossy codecs decode to more bits than they hold."""
    is_exact = codec in _LOSSLESS or (codec.startswith("pcm_") and codec not in _COMPANDED)
    has_more = sample_format is not None and sample_format.bytes > _BYTES_OF_S16
    return 24 if is_exact and has_more else 16


def _configuration(track: Track) -> bytes:
    extradata = track.stream.codec_context.extradata or b""
    if track.codec == "opus":
        # Encoder delay and recorded rate differ from file to file and do not matter to a decoder.
        return extradata[:10] + extradata[16:]
    return b"" if track.codec == "flac" else extradata


@contextmanager
def complaints() -> Iterator[Callable[[], int]]:
    """Counts the errors that FFmpeg logs, as its command line would print them."""
    library = logging.getLogger("libav")
    if not library.handlers:
        library.addHandler(logging.NullHandler())
        library.propagate = False
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    before = av.logging.get_last_error()[0]
    try:
        yield lambda: av.logging.get_last_error()[0] - before
    finally:
        av.logging.set_level(level)

"""Finds speech in a piece of sound: evens out its level, restores what telephones cut away, and asks silero's detector.

The detector is the one inside faster-whisper. Its sound is changed in two ways, both measured on recordings of people:

- **Level.** The detector misses speech at -40 dB (46 % of the words of conversations were lost), and finds it once it
  is as loud as other speech. What is much softer than the rest of the piece is listened to a second time, raised.
- **Low frequencies.** A telephone passes nothing below 300 Hz, and the detector, which recognizes voices by their
  pitch, misses half of the speech in a telephone call (48 % of the words were lost). The distance between the harmonics
  still gives the pitch: rectifying the sound restores it, for the detector alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adapters.audio.decoding import SAMPLE_RATE, Samples

Sound = npt.NDArray[np.float32]
"""Samples from -1 to 1, 16 kHz mono."""

PADDING_SECONDS = 0.4
"""How much sound is kept before and after speech: words begin and end softly."""

_FULL_SCALE = np.float32(32768)
_DETECTOR_SAMPLES = 512
_FRAME_SECONDS = _DETECTOR_SAMPLES / SAMPLE_RATE

# For the detector's frames. In noise, music, typing and ringing, single frames reach 0.8, but a run never has four
# above 0.6; every clip of people does, even through a telephone or at 5 dB of noise.
_SURELY_SPEECH = 0.6
_PERHAPS_SPEECH = 0.3
_SURE_FRAMES = 4
_FRESH_SAMPLES = 250 * _DETECTOR_SAMPLES  # 8 s
_PAUSE_FRAMES = round(0.5 / _FRAME_SECONDS)

_LOUDNESS = 0.1
_SOFT, _LOUD = 0.35 * _LOUDNESS, 1.5 * _LOUDNESS
"""Between these, the level of what is heard within a second or two may remain as it is."""
_LOCAL_FRAMES = 50
_LOCAL_SHARE = 0.8
_BANG = 3 * _LOUDNESS
_SOFTEST = 10 ** (-75 / 20)
_NOISE_PERCENTILE = 10
_ABOVE_NOISE = 10 ** (10 / 20)
_MUCH = 2
_SHORT_WORD_FRAMES = 10
_GREATEST_GAIN = 10 ** (50 / 20)
_GREATEST_GAIN_AFTER_TILT = 10 ** (20 / 20)
_LOUDNESS_PERCENTILE = 95
_LOUDNESS_SAMPLES = SAMPLE_RATE * 30 // 1000

_AUDIBLE = 10 ** (-50 / 20)
_BESIDE_SPEECH = 10 ** (-20 / 20)
_LONG_FRAMES = round(1.0 / _FRAME_SECONDS)
_BRIDGED_FRAMES = round(0.5 / _FRAME_SECONDS)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples from `start` to before `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FoundSpeech:
    """`sound`: the piece at the usual level. `speech`: its stretches in order, padded, not overlapping.

    `other_sound`: audible sound between speech that lasts a second or longer.
    """

    sound: Sound
    speech: tuple[Stretch, ...]
    other_sound: tuple[Stretch, ...]


def find_speech(samples: Samples) -> FoundSpeech:
    """Memory and time grow with the piece: give it half a minute to some minutes at a time."""
    sound = samples.astype(np.float32) / _FULL_SCALE
    loudness = _loudness(sound)
    if loudness == 0:
        return FoundSpeech(sound, (), ())
    gain = min(_LOUDNESS / loudness, _GREATEST_GAIN)
    even = _EvenLevel(sound, gain)
    levelled = _amplified(sound, gain)
    probabilities = _probabilities(_with_its_pitch(levelled))
    speech = _padded(_runs_of_speech(probabilities), len(samples))
    if even.raises_sound_beside(speech):
        again = _probabilities(_with_its_pitch(even.sound_above_noise()))
        speech = _padded(_runs_of_speech(np.maximum(probabilities, again)), len(samples))
    for stretch in speech:
        levelled[stretch.start : stretch.end] = even.sound(stretch)
    # Next to speech, sound that is much softer is just the room, and not worth reporting.
    audible = max(_AUDIBLE, loudness * _BESIDE_SPEECH) if speech else _AUDIBLE
    return FoundSpeech(levelled, speech, _other_sound(sound, audible, speech))


class _EvenLevel:
    """A piece at a level that is about the same everywhere.

    A piece has one gain, but where what is heard within a second or two is far softer or louder than the rest, that
    has one of its own: somebody far from the microphone, soft words beside a cough or a door, or a word in much quiet,
    which would be amplified as if it were all quiet. Single bangs are toned down, and where nothing is louder than the
    piece's own noise, nothing is raised.
    """

    def __init__(self, sound: Sound, gain: float) -> None:
        self._sound = sound
        self._gain = gain
        self._levels = _levels(sound)
        noise = float(np.percentile(self._levels[self._levels > 0], _NOISE_PERCENTILE))
        self._least = max(_SOFTEST, _ABOVE_NOISE * noise)
        local = _local(self._levels, self._least)
        wanted = np.clip(local * gain, _SOFT, _LOUD) / np.maximum(local, _SOFTEST)
        self._gains = np.where(local > 0, np.minimum(wanted, _GREATEST_GAIN), gain).astype(np.float32)

    def raises_sound_beside(self, speech: tuple[Stretch, ...]) -> bool:
        """Whether there is sound outside of the speech that is much louder here than with the piece's gain."""
        raised = (self._levels > self._least) & (self._gains > _MUCH * self._gain)
        for stretch in speech:
            raised[stretch.start // _LOUDNESS_SAMPLES : -(-stretch.end // _LOUDNESS_SAMPLES)] = False
        return bool(np.count_nonzero(raised) >= _SHORT_WORD_FRAMES)

    def sound(self, stretch: Stretch) -> Sound:
        """A stretch of the piece."""
        return self._at(stretch, self._gains)

    def sound_above_noise(self) -> Sound:
        """The whole piece, its steady noise kept soft."""
        gains = np.minimum(self._gains, max(self._gain, _SOFT / self._least))
        return self._at(Stretch(0, len(self._sound)), gains)

    def _at(self, stretch: Stretch, gains: Sound) -> Sound:
        bangs = np.minimum(1, _BANG / np.maximum(self._levels * gains, _BANG))
        centres = (np.arange(len(gains)) + 0.5) * _LOUDNESS_SAMPLES
        gain = np.interp(np.arange(stretch.start, stretch.end), centres, gains * bangs)
        part: Sound = self._sound[stretch.start : stretch.end] * gain.astype(np.float32)
        return _amplified(part, 1)


def _local(levels: Sound, least: float) -> Sound:
    """For each level, that of the loud ones around it that are above the least; 0 where there are none."""
    half = _LOCAL_FRAMES // 2
    counted = np.pad(np.where(levels > least, levels, np.inf), half, constant_values=np.inf)
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(counted, 2 * half + 1), axis=1)
    counts = np.count_nonzero(np.isfinite(windows), axis=1)
    places = np.maximum(0, np.ceil(counts * _LOCAL_SHARE).astype(int) - 1)
    found = np.take_along_axis(windows, places[:, np.newaxis], axis=1)[:, 0]
    return np.where(counts > 0, found, 0).astype(np.float32)


def _amplified(sound: Sound, gain: float) -> Sound:
    return np.asarray(np.clip(sound * gain, -1, 1), dtype=np.float32)


def _loudness(sound: Sound) -> float:
    """The root mean square of the loud parts: neither pauses nor digital silence count."""
    levels = _levels(sound)
    heard = levels[levels > 0]
    return float(np.percentile(heard, _LOUDNESS_PERCENTILE)) if len(heard) else 0.0


def _levels(sound: Sound) -> Sound:
    """The root mean square of each 30 ms, or of all there is if that is less."""
    frames = max(1, len(sound) // _LOUDNESS_SAMPLES)
    framed = sound[: frames * _LOUDNESS_SAMPLES].reshape(frames, -1)
    levels: Sound = np.sqrt(np.square(framed).mean(axis=1)) if len(sound) else np.zeros(1, np.float32)
    return levels


def _with_its_pitch(sound: Sound) -> Sound:
    """The sound with the fundamental that its harmonics belong to, and its spectrum tilted toward it.

    Rectifying gives the sum of all differences between harmonics; of that, 60 to 300 Hz is added.
    """
    length = 1 << (len(sound) - 1).bit_length()  # with other lengths the transform takes many times as long
    frequencies = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    pitch = np.fft.rfft(np.abs(sound), length)
    pitch[(frequencies < 60) | (frequencies > 300)] = 0  # noqa: PLR2004 - Hz, as said above
    tilt = np.sqrt(1000 / np.maximum(frequencies, 100))
    restored = np.fft.irfft((np.fft.rfft(sound, length) + pitch) * tilt, length)[: len(sound)].astype(np.float32)
    loudness = _loudness(restored)
    return _amplified(restored, min(_LOUDNESS / loudness, _GREATEST_GAIN_AFTER_TILT)) if loudness > 0 else restored


def _probabilities(sound: Sound) -> Sound:
    """How likely each 32 ms is speech.

    The detector remembers what it heard, and after twenty seconds of quiet it misses a short answer. So it listens
    twice: to the whole, and to a few seconds at a time, each as if they were the first.

    Its library keeps a plan of memory for every length that it was ever given, a megabyte for half a minute, and a
    recording of a day has a thousand lengths. So it gets whole multiples of those few seconds, with silence behind.
    """
    from faster_whisper.vad import get_vad_model  # noqa: PLC0415 - only workers load it

    model: Any = get_vad_model()

    def listen(part: Sound) -> Sound:
        padded = np.pad(part, (0, -len(part) % _FRESH_SAMPLES))
        return np.asarray(model(padded), dtype=np.float32).reshape(-1)[: len(part) // _DETECTOR_SAMPLES]

    whole = np.pad(sound, (0, -len(sound) % _DETECTOR_SAMPLES))
    if not len(whole):
        return np.zeros(0, np.float32)
    parts = (whole[start : start + _FRESH_SAMPLES] for start in range(0, len(whole), _FRESH_SAMPLES))
    likeliest: Sound = np.maximum(listen(whole), np.concatenate([listen(part) for part in parts]))
    return likeliest


def _runs_of_speech(probabilities: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
    """First and after-last frame of each run that may be speech and partly surely is; short pauses are included."""
    perhaps = np.flatnonzero(probabilities >= _PERHAPS_SPEECH)
    if not len(perhaps):
        return []
    runs = np.split(perhaps, np.flatnonzero(np.diff(perhaps) > _PAUSE_FRAMES) + 1)
    return [
        (int(run[0]), int(run[-1]) + 1)
        for run in runs
        if np.count_nonzero(probabilities[run] >= _SURELY_SPEECH) >= _SURE_FRAMES
    ]


def _padded(runs: list[tuple[int, int]], length: int) -> tuple[Stretch, ...]:
    padding = round(PADDING_SECONDS * SAMPLE_RATE)
    padded: list[Stretch] = []
    for first, after in runs:
        start = max(0, first * _DETECTOR_SAMPLES - padding)
        end = min(length, after * _DETECTOR_SAMPLES + padding)
        if padded and start <= padded[-1].end:
            padded[-1] = Stretch(padded[-1].start, end)
        else:
            padded.append(Stretch(start, end))
    return tuple(padded)


def _other_sound(sound: Sound, audible: float, speech: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    frames = len(sound) // _DETECTOR_SAMPLES
    framed = sound[: frames * _DETECTOR_SAMPLES].reshape(frames, _DETECTOR_SAMPLES)
    heard = np.sqrt(np.square(framed).mean(axis=1)) > audible
    for stretch in speech:
        heard[stretch.start // _DETECTOR_SAMPLES : -(-stretch.end // _DETECTOR_SAMPLES)] = False
    loud = np.flatnonzero(heard)
    if not len(loud):
        return ()
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > _BRIDGED_FRAMES) + 1)
    found = (Stretch(int(run[0]) * _DETECTOR_SAMPLES, (int(run[-1]) + 1) * _DETECTOR_SAMPLES) for run in runs)
    return tuple(stretch for stretch in found if stretch.end - stretch.start >= _LONG_FRAMES * _DETECTOR_SAMPLES)

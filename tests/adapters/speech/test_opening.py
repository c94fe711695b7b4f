"""How engines are built, warmed up and asked for a language."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.speech import faster_whisper_engine
from adapters.speech.opening import EngineSpec, build_engine, preload
from adapters.speech.port import EngineUnavailable, UnsupportedLanguage, require_language
from adapters.speech.whisper_model import load_model, model_folder
from adapters.speech.window_model import WindowModel
from tests.adapters.audio.samples import opener, tone, wav

RECORDING = opener(wav(tone(16_000)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the files of the installed model; no other test has built an engine with it."""
    for file in model_folder(None).iterdir():
        (tmp_path / file.name).symlink_to(file)
    return tmp_path


def test_the_same_spec_gives_the_same_engine(folder: Path):
    assert build_engine(EngineSpec()) is build_engine(EngineSpec())
    assert build_engine(EngineSpec(model=str(folder))) is build_engine(EngineSpec(model=str(folder)))
    assert build_engine(EngineSpec(model=str(folder))) is not build_engine(EngineSpec())


def test_a_process_loads_the_model_once(monkeypatch: pytest.MonkeyPatch, folder: Path):
    loaded: list[str | None] = []

    def counted(path: str | None) -> WindowModel:
        loaded.append(path)
        return load_model(path)

    monkeypatch.setattr(faster_whisper_engine, "load_model", counted)
    spec = EngineSpec(model=str(folder))
    preload(spec)
    assert loaded == [str(folder)]
    preload(spec)
    build_engine(spec).transcribe(RECORDING, language="en")
    build_engine(spec).transcribe(RECORDING, language="en")
    assert loaded == [str(folder)]


def test_a_preload_that_cannot_load_leaves_it_to_the_job_to_say_so(folder: Path):
    (folder / "model.bin").unlink()
    (folder / "model.bin").write_bytes(b"no weights")
    spec = EngineSpec(model=str(folder))
    preload(spec)
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        build_engine(spec).transcribe(RECORDING, language="en")


def test_a_preload_without_a_model_leaves_it_to_the_job_to_say_so(tmp_path: Path):
    spec = EngineSpec(model=str(tmp_path / "nowhere"))
    preload(spec)
    with pytest.raises(EngineUnavailable, match="there is no model folder"):
        build_engine(spec)


def test_a_model_that_arrives_later_is_found_without_a_restart(folder: Path):
    weights = (folder / "model.bin").readlink()
    (folder / "model.bin").unlink()
    spec = EngineSpec(model=str(folder))
    with pytest.raises(EngineUnavailable, match=r"lacks model\.bin"):
        build_engine(spec)
    (folder / "model.bin").symlink_to(weights)
    assert build_engine(spec).transcribe(RECORDING, language="en").text == ""


@pytest.mark.parametrize("language", ["en", "en-US", "en-GB", "EN", "en_AU"])
def test_english_is_accepted_in_every_form(language: str):
    require_language(language, build_engine(EngineSpec()))


@pytest.mark.parametrize("language", ["fr", "fr-CA", "de", "enm"])
def test_another_language_is_refused_by_name(language: str):
    with pytest.raises(UnsupportedLanguage) as error:
        require_language(language, build_engine(EngineSpec()))
    assert str(error.value) == f"The faster-whisper engine does not understand '{language}', only en."


def test_a_folder_of_ones_own_says_its_languages_before_it_is_loaded(folder: Path):
    engine = build_engine(EngineSpec(model=str(folder)))
    assert engine.languages == ("en",)
    with pytest.raises(UnsupportedLanguage, match="'fr', only en"):
        require_language("fr", engine)
    with pytest.raises(UnsupportedLanguage, match="'fr', only en"):
        engine.transcribe(RECORDING, language="fr")


@pytest.mark.parametrize("name", ["vocabulary.txt", "vocabulary.json"])
def test_a_multilingual_model_has_the_languages_of_its_vocabulary_by_whatever_name_they_are_asked_for(
    folder: Path, name: str
):
    tokens = [f"token {number}" for number in range(51_862)] + ["<|startoftranscript|>", "<|en|>", "<|zh|>", "<|jw|>"]
    (folder / "vocabulary.txt").unlink()
    (folder / name).write_text(json.dumps(tokens) if name.endswith("json") else "".join(f"{each}\n" for each in tokens))
    engine = build_engine(EngineSpec(model=str(folder)))
    assert engine.languages == ("en", "zh", "jw")
    for language in ("en-GB", "zh-Hant", "cmn", "jv", "jav-ID"):
        require_language(language, engine)
    with pytest.raises(UnsupportedLanguage, match="'es-419', only en, zh, jw"):
        require_language("es-419", engine)


def test_a_model_without_a_vocabulary_says_its_languages_only_once_it_is_loaded(folder: Path):
    (folder / "vocabulary.txt").unlink()
    require_language("fr", build_engine(EngineSpec(model=str(folder))))


BUILT = """
import sys
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.port import require_language
engine = build_engine(EngineSpec())
require_language("en", engine)
print(*sorted({"faster_whisper", "ctranslate2", "onnxruntime", "tokenizers", "huggingface_hub"} & set(sys.modules)))
"""


def test_whoever_only_builds_the_engine_loads_none_of_its_libraries():
    built = subprocess.run([sys.executable, "-c", BUILT], capture_output=True, text=True, check=True)
    assert built.stdout.split() == []

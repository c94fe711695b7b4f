"""What the embedded engine hears."""

import numpy as np
import pytest

from adapters.audio.errors import NotAudio
from adapters.speech.engine import EngineSpec, UnsupportedLanguage, build_engine
from tests.adapters.audio import samples
from tests.adapters.audio.samples import encoded, opener, wav
from tests.adapters.speech.listening import SPEECH_FOLDER, needs_speech

engine = build_engine(EngineSpec())


@pytest.mark.speech
@needs_speech
@pytest.mark.parametrize(
    ("name", "said"),
    [("goforward", "go forward ten meters"), ("something", "go somewhere and do something")],
)
def test_people_are_understood_word_for_word(name: str, said: str) -> None:
    transcript = engine.transcribe(lambda: (SPEECH_FOLDER / f"{name}.wav").open("rb"), language="en")
    assert transcript.text == said


@pytest.mark.speech
@needs_speech
def test_a_pause_between_two_sentences_makes_two_segments_with_their_times() -> None:
    first, second = spoken("goforward"), spoken("something")
    pause = np.zeros(32_000, np.int16)
    transcript = engine.transcribe(opener(wav(np.concatenate([first, pause, second]).reshape(1, -1))), language="en-US")
    assert [segment.text for segment in transcript.segments] == [
        "go forward ten meters",
        "go somewhere and do something",
    ]
    earlier, later = transcript.segments
    assert earlier.end < (len(first) + len(pause)) / 16_000 < later.start + 0.5
    assert transcript.duration_ms == round((len(first) + len(pause) + len(second)) / 16)
    assert all(segment.confidence is not None and 0 < segment.confidence <= 1 for segment in transcript.segments)
    assert (transcript.engine, transcript.provider, transcript.language) == ("pocketsphinx", None, "en-US")


@pytest.mark.speech
@needs_speech
@pytest.mark.parametrize("kind", [samples.OGG_OPUS, samples.MP3, samples.M4A])
def test_people_are_understood_through_lossy_codecs(kind: str) -> None:
    said = encoded(kind, spoken("goforward").reshape(1, -1), rate=16_000)
    assert engine.transcribe(opener(said), language="en").text == "go forward ten meters"


@pytest.mark.parametrize("loudness", [0, 3])
def test_silence_is_a_transcript_without_words(loudness: float) -> None:
    quiet = np.random.default_rng(0).normal(0, loudness, (1, 48_000)).astype(np.int16)
    transcript = engine.transcribe(opener(wav(quiet)), language="en")
    assert (transcript.text, transcript.segments, transcript.duration_ms) == ("", (), 3_000)


def test_another_language_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedLanguage, match="does not understand 'fr', only en, en-US"):
        engine.transcribe(opener(wav(np.zeros((1, 16_000), np.int16))), language="fr")


def test_what_is_no_audio_is_refused() -> None:
    with pytest.raises(NotAudio):
        engine.transcribe(opener(b"no sound"), language="en")


def spoken(name: str) -> samples.Samples:
    return np.frombuffer((SPEECH_FOLDER / f"{name}.wav").read_bytes()[44:], np.int16)

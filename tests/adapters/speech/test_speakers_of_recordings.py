"""Speakers who share a channel, in whole recordings: who they are, and that a setting turns it off."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks
from adapters.speech.faster_whisper_engine import FasterWhisperEngine
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.parts import HeardPart, parts_of
from adapters.speech.plain_text import plain_text
from adapters.speech.sessions import TranscribedChunk, transcribe_samples, transcribe_session
from adapters.speech.transcript import Transcript
from service import sample
from tests.adapters.audio.samples import opener, wav
from tests.left_out import skip_outside_ci
from tests.places import SHARED_DATA

SPEECH = SHARED_DATA / "speech"


@pytest.fixture(scope="module")
def engine() -> FasterWhisperEngine:
    return FasterWhisperEngine()


def sound_of(path: Path) -> Samples:
    return np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))


@pytest.fixture(scope="module")
def consultation() -> Samples:
    with sample.audio_file() as path:
        return sound_of(path)[: 27 * SAMPLE_RATE]


def transcript_of(engine, sound: Samples) -> Transcript:
    return engine.transcribe(opener(wav(sound.reshape(1, -1))), language="en")


def speakers_of(transcript: Transcript) -> list[str | None]:
    return [segment.speaker for segment in transcript.segments]


@pytest.mark.slow
def test_a_doctor_and_a_patient_in_one_channel_are_told_apart(engine: FasterWhisperEngine, consultation: Samples):
    transcript = transcript_of(engine, consultation)
    turns = [paragraph[:3] for paragraph in plain_text(transcript).splitlines() if paragraph]
    assert turns == ["S1:", "S2:"] * 3
    off = transcript_of(FasterWhisperEngine(tells_speakers=False), consultation)
    assert off.text == transcript.text
    assert set(speakers_of(off)) == {None}


@pytest.mark.slow
def test_parts_name_speakers_as_the_whole_does_and_are_others_than_without(
    engine: FasterWhisperEngine, consultation: Samples, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.speech.parts.LONGEST_PART_SECONDS", 12)
    whole = transcript_of(engine, consultation)
    parts = [engine.hear(part, language="en") for part in parts_of([consultation])]
    kept = [HeardPart.from_json(part.to_json()) for part in parts]
    assert len(parts) > 2
    assert kept == parts
    assert engine.transcript_of(kept, language="en") == whole
    assert set(speakers_of(whole)) == {"S1", "S2"}
    off = build_engine(EngineSpec(tells_speakers=False))
    assert isinstance(off, FasterWhisperEngine)
    assert off.heard_by("en") != engine.heard_by("en")
    assert off.hear(next(parts_of([consultation])), language="en").voiceprints == ()


@pytest.mark.slow
def test_a_session_s_speakers_are_told_apart_over_its_chunks(engine: FasterWhisperEngine, consultation: Samples):
    chunks = [consultation[: 12 * SAMPLE_RATE], consultation[12 * SAMPLE_RATE :]]
    heard = [transcribe_samples(engine, chunk.tobytes(), language="en") for chunk in chunks]
    assert {speaker for transcript in heard for speaker in speakers_of(transcript)} == {None}

    def whole(engine: FasterWhisperEngine) -> Transcript:
        known = [TranscribedChunk(len(chunk), words) for chunk, words in zip(chunks, heard, strict=True)]
        return transcribe_session(engine, lambda start, end: consultation[start:end].tobytes(), known, language="en")

    transcript = whole(engine)
    turns = [paragraph[:3] for paragraph in plain_text(transcript).splitlines() if paragraph]
    assert turns == ["S1:", "S2:"] * 3
    off = whole(FasterWhisperEngine(tells_speakers=False))
    assert off.text == transcript.text
    assert set(speakers_of(off)) == {None}


def present() -> None:
    if not SPEECH.is_dir():
        skip_outside_ci("There is no shared/data/speech beside this checkout; this test hears its recordings.")


@pytest.mark.speech
@pytest.mark.slow
def test_two_people_are_told_apart(engine: FasterWhisperEngine):
    present()
    transcript = transcript_of(engine, sound_of(SPEECH / "conversation-two-voices.wav"))
    words = Counter((segment.speaker, len(segment.words)) for segment in transcript.segments)
    assert sum(words.values()) == len(transcript.segments) > 5
    assert speakers_of(transcript)[:6] == ["S1", "S2"] * 3


@pytest.mark.speech
@pytest.mark.slow
def test_one_reader_is_not_split(engine: FasterWhisperEngine):
    present()
    read = [sound_of(SPEECH / f"533-1066-000{number}.flac") for number in (1, 2, 3, 4)]
    assert set(speakers_of(transcript_of(engine, np.concatenate(read)))) == {None}

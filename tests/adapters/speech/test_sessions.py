"""What is heard of a session chunk by chunk, and how the whole is mended where chunks meet.

The engine here hears numbers: a stretch of equal samples is a word, and the whole word only if all of it is there.
"""

import itertools

import numpy as np
import pytest

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from adapters.audio.pcm import pcm_file
from adapters.speech.parts import HeardPart, digest_of
from adapters.speech.sessions import TranscribedChunk, transcribe_samples, transcribe_session
from adapters.speech.transcript import Transcript, TranscriptWord, UnrecognizedSound, segment_of
from adapters.speech.turns import with_speakers
from adapters.speech.voiceprint import Voiceprint
from tests.adapters.speech.made_up_voices import voice

WORD_SECONDS = 0.5
NOISE = 1000


class NumberEngine:
    """Each run of one number other than 0 is a word; half a word is heard as another. A run of `NOISE` is none."""

    name = "numbers"
    languages = ("en",)

    def __init__(self):
        self.heard_seconds = 0.0

    def transcribe(self, open_audio, *, language):
        sound = np.concatenate(list(pcm_blocks(open_audio)))
        self.heard_seconds += len(sound) / SAMPLE_RATE
        edges = np.flatnonzero(np.diff(sound, prepend=0, append=0))
        runs = [(start, end, sound[start]) for start, end in itertools.pairwise(edges) if sound[start]]
        noises = [
            UnrecognizedSound(start=start / SAMPLE_RATE, end=end / SAMPLE_RATE, reason="no_speech")
            for start, end, number in runs
            if number == NOISE
        ]
        segments = [
            segment_of(
                start=start / SAMPLE_RATE,
                end=end / SAMPLE_RATE,
                text=f"w{number}" if end - start == WORD_SECONDS * SAMPLE_RATE else "half",
                words=(word_of(start, end, number),),
            )
            for start, end, number in runs
            if number != NOISE
        ]
        return Transcript.of_segments(
            segments,
            language=language,
            engine=self.name,
            provider=None,
            duration_ms=len(sound) // 16,
            unrecognized=noises,
        )


class VoicesEngine(NumberEngine):
    """Odd numbers are said by one person, even ones by another."""

    def load(self):
        """It has no model."""

    def heard_by(self, language):
        return f"numbers {language}"

    def hear(self, part, *, language):
        found = self.transcribe(lambda: pcm_file(part.samples.tobytes()), language=language)
        words = tuple(word for segment in found.segments for word in segment.words)
        return HeardPart(
            start_sample=part.start_sample,
            samples=len(part.samples),
            sha256=digest_of(part),
            heard_by=self.heard_by(language),
            words=words,
            unrecognized=found.unrecognized,
            voiceprints=tuple(print_of(word) for word in words),
        )

    def transcript_of(self, parts, *, language):
        segments = [
            segment_of(start=word.start, end=word.end, text=word.text, words=(word,))
            for part in parts
            for word in part.words
        ]
        found = Transcript.of_segments(
            segments,
            language=language,
            engine=self.name,
            provider=None,
            duration_ms=sum(part.samples for part in parts) // 16,
        )
        return self.named(found, [one for part in parts for one in part.voiceprints])

    def named(self, transcript, prints):
        return transcript.model_copy(update={"segments": tuple(with_speakers(transcript.segments, prints))})


def print_of(word):
    random = np.random.default_rng(round(word.start * 1000))
    speaker = "half" if word.text == "half" else "ab"[int(word.text[1:]) % 2]
    heard = voice(speaker[0]) + random.normal(0, 0.03, 256)
    return Voiceprint.of(word.start, max(word.end, word.start + 1.0), heard / np.linalg.norm(heard))


def word_of(start, end, number):
    text = f"w{number}" if end - start == WORD_SECONDS * SAMPLE_RATE else "half"
    return TranscriptWord(start=start / SAMPLE_RATE, end=end / SAMPLE_RATE, text=text)


def sound_of(seconds, *words):
    """Silence of `seconds` with words that begin at the given seconds."""
    sound = np.zeros(round(seconds * SAMPLE_RATE), "<i2")
    for number, start in enumerate(words, 1):
        sound[round(start * SAMPLE_RATE) : round((start + WORD_SECONDS) * SAMPLE_RATE)] = number
    return sound


def session(sound, *cuts, heard=True, engine=None):
    """The whole transcript of a sound that came cut, and how many seconds were listened to beyond the chunks."""
    engine = engine or NumberEngine()
    parts = np.split(sound, [round(cut * SAMPLE_RATE) for cut in cuts])
    chunks = [
        TranscribedChunk(len(part), transcribe_samples(engine, part.tobytes(), language="en") if heard else None)
        for part in parts
    ]
    engine.heard_seconds = 0.0
    whole = transcribe_session(engine, lambda start, end: sound[start:end].tobytes(), chunks, language="en")
    assert whole.duration_ms == len(sound) // 16
    return whole, engine.heard_seconds


@pytest.mark.parametrize("cut", np.arange(9.0, 11.1, 0.1))
def test_a_word_at_a_cut_is_there_once_wherever_it_is_cut(cut):
    whole, _ = session(sound_of(20, 3, 9.2, 10.1, 17), cut)
    assert whole.text == "w1 w2 w3 w4"
    starts = [segment.start for segment in whole.segments]
    assert starts == pytest.approx([3, 9.2, 10.1, 17], abs=0.01)


def test_only_what_is_around_a_cut_is_heard_again():
    _, again = session(sound_of(60, 3, 29.8, 45, 58), 30)
    assert 1 < again < 4


def test_words_that_follow_one_another_from_cut_to_cut_are_heard_as_one_stretch():
    sound = sound_of(12, *np.arange(0.25, 11.5, 0.5))
    whole, again = session(sound, 3, 5, 7, 7.2)
    assert whole.text == " ".join(f"w{number}" for number in range(1, 24))
    assert again <= 12


def test_words_have_the_times_of_the_whole_wherever_the_sound_was_cut():
    whole, _ = session(sound_of(40, 3, 14.8, 27, 35), 10, 15, 30)
    words = [word for segment in whole.segments for word in segment.words]
    assert [word.text for word in words] == ["w1", "w2", "w3", "w4"]
    assert [word.start for word in words] == pytest.approx([3, 14.8, 27, 35], abs=0.01)
    assert all((word.start, word.end) == (one.start, one.end) for one, word in zip(whole.segments, words, strict=True))


def test_where_sound_was_heard_without_words_is_told_of_the_whole():
    sound = sound_of(30, 3, 25)
    sound[14 * SAMPLE_RATE : 16 * SAMPLE_RATE] = NOISE
    sound[20 * SAMPLE_RATE : 22 * SAMPLE_RATE] = NOISE
    whole, _ = session(sound, 10)
    assert [(one.start, one.end) for one in whole.unrecognized] == [(14, 16), (20, 22)]
    cut_in_it, _ = session(sound, 15)
    covered = [(one.start, one.end) for one in cut_in_it.unrecognized]
    assert (covered[0][0], covered[-1]) == (14, (20, 22))
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(covered))
    assert whole.text == cut_in_it.text == "w1 w2"


def test_a_chunk_that_nobody_heard_is_heard_with_the_whole():
    sound = sound_of(20, 3, 9.8, 17)
    assert session(sound, 10, heard=False)[0].text == session(sound, 10)[0].text == "w1 w2 w3"


@pytest.mark.parametrize("cuts", [(), (0,), (10,), (0, 0, 10)])
def test_empty_chunks_and_a_session_of_one_make_no_cut(cuts):
    whole, again = session(sound_of(10, 3), *cuts)
    assert (whole.text, again) == ("w1", 0)


def test_a_session_without_sound_has_no_words():
    whole, _ = session(np.zeros(0, "<i2"))
    assert (whole.text, whole.segments, whole.engine) == ("", (), "numbers")


@pytest.mark.parametrize("cuts", [(), (15,), (14.6,), (5, 15, 15.5, 27.4)])
@pytest.mark.parametrize("heard", [True, False])
def test_speakers_are_those_of_the_whole_wherever_it_is_cut(cuts, heard):
    sound = sound_of(42, *np.arange(0.5, 42, 3))
    whole, _ = session(sound, *cuts, heard=heard, engine=VoicesEngine())
    assert [segment.text for segment in whole.segments] == [f"w{number}" for number in range(1, 15)]
    assert [segment.speaker for segment in whole.segments] == ["S1", "S2"] * 7
    assert whole.voiceprints == ()


def test_a_chunk_alone_names_nobody_and_keeps_its_voices_as_it_is_stored():
    sound = sound_of(30, *np.arange(0.5, 30, 3))
    chunk = transcribe_samples(VoicesEngine(), sound.tobytes(), language="en")
    assert {segment.speaker for segment in chunk.segments} == {None}
    assert len(chunk.voiceprints) == len(chunk.segments) == 10
    assert Transcript.from_json(chunk.to_json()) == chunk


def test_chunks_that_were_heard_before_voices_were_kept_name_nobody():
    sound = sound_of(30, *np.arange(0.5, 30, 3))
    engine = VoicesEngine()
    old = transcribe_samples(engine, sound.tobytes(), language="en").model_copy(update={"voiceprints": ()})
    stored = old.to_json()
    assert b"voiceprints" not in stored
    chunk = TranscribedChunk(len(sound), Transcript.from_json(stored))
    whole = transcribe_session(engine, lambda start, end: sound[start:end].tobytes(), [chunk], language="en")
    assert whole.text == old.text
    assert {segment.speaker for segment in whole.segments} == {None}

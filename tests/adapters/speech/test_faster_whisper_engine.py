"""What the default engine hears, with the installed model and recordings made by speech synthesis."""

import os
import re
import subprocess
import sys
import wave
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.port import SpeechEngine, UnsupportedLanguage
from adapters.speech.transcript import Transcript
from adapters.speech.voice_activity import find_speech
from service import sample
from service.sample.word_error_rate import word_error_rate
from tests.adapters.audio.samples import opener, wav
from tests.adapters.speech.calls import call, texts
from tests.tools import dialogues
from tests.tools.bench.words import degrading
from tests.tools.bench.words.non_speech import non_speech

HALF_SECONDS = 29.6
HALF_TURNS = 7
"""The sample's first half, up to "Are you allergic to any medicine?"."""


@pytest.fixture(scope="module")
def engine() -> SpeechEngine:
    return build_engine(EngineSpec())


@pytest.fixture(scope="module")
def hear(engine: SpeechEngine) -> Callable[[Samples], Transcript]:
    """Transcribe samples at 16 kHz."""
    return lambda samples: engine.transcribe(opener(wav(samples.reshape(1, -1))), language="en")


@pytest.fixture(scope="module")
def sample_path() -> Iterator[Path]:
    with sample.audio_file() as path:
        yield path


@pytest.fixture(scope="module")
def sound(sample_path: Path) -> Samples:
    """The whole sample's."""
    return np.concatenate(list(pcm_blocks(lambda: sample_path.open("rb"))))


@pytest.fixture(scope="module")
def transcript(engine: SpeechEngine, sample_path: Path) -> Transcript:
    """The whole sample's."""
    return engine.transcribe(lambda: sample_path.open("rb"), language="en-GB")


def seconds_of(samples: Samples, start: float, end: float) -> Samples:
    return samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def turns(spoken: str, count: int) -> str:
    return "\n".join(spoken.splitlines()[:count])


def first_half(sound: Samples) -> Samples:
    return seconds_of(sound, 0, HALF_SECONDS)


def test_the_sample_is_heard_nearly_without_an_error(transcript: Transcript):
    assert word_error_rate(sample.spoken_text(), transcript.text) <= 0.02


def test_the_text_has_capitals_and_punctuation(transcript: Transcript):
    assert transcript.text.startswith("Good morning")
    assert transcript.text.endswith(".")
    assert "Where does it hurt?" in transcript.text
    assert len(re.findall(r"[.?] [A-Z]", transcript.text)) >= 10


def test_a_transcript_says_what_it_is_of_and_who_made_it(transcript: Transcript, sound: Samples):
    assert transcript.duration_ms == pytest.approx(len(sound) / SAMPLE_RATE * 1000, abs=1)
    assert (transcript.language, transcript.engine, transcript.provider) == ("en-GB", "faster-whisper", "whisper")
    assert transcript.confidence is not None
    assert transcript.confidence > 0.5


def test_segments_are_in_order_none_overlaps_another_and_none_is_long(transcript: Transcript):
    assert len(transcript.segments) >= 10
    assert all(one.end <= other.start for one, other in pairwise(transcript.segments))
    assert all(segment.end - segment.start <= 25 for segment in transcript.segments)


def test_the_words_of_a_segment_are_its_text(transcript: Transcript):
    assert all(" ".join(word.text for word in segment.words) == segment.text for segment in transcript.segments)


def test_times_of_words_ascend_within_their_segment_and_the_recording(transcript: Transcript):
    words = [word for segment in transcript.segments for word in segment.words]
    assert all(one.start < one.end <= other.start for one, other in pairwise(words))
    assert words[-1].end <= transcript.duration_ms / 1000
    for segment in transcript.segments:
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)


def test_nothing_of_a_clear_recording_is_told_as_unrecognized(transcript: Transcript):
    assert transcript.unrecognized == ()


def test_words_after_a_long_silence_are_told_where_they_are_said(hear: Callable[[Samples], Transcript], sound: Samples):
    allergic = seconds_of(sound, 30.2, 32.7)  # "Yes, I am allergic to penicillin."
    headache = seconds_of(sound, 7.7, 10.4)  # "I have had a headache for the last three days."
    heard = hear(np.concatenate([silence(3), allergic, silence(20), headache, silence(2)]))
    words = [word for segment in heard.segments for word in segment.words]
    begins = next(number for number, word in enumerate(words) if word.start > 10)
    assert "penicillin" in words[begins - 1].text
    assert words[0].start == pytest.approx(3.1, abs=0.5)
    assert words[begins - 1].end == pytest.approx(5.4, abs=0.5)
    assert [word.text for word in words[begins : begins + 2]] == ["I", "have"]
    assert words[begins].start == pytest.approx(25.6, abs=0.5)
    assert words[-1].text.rstrip(".") == "days"
    assert words[-1].end == pytest.approx(28.1, abs=0.5)


@pytest.mark.slow
def test_the_same_sound_gives_the_same_transcript_also_after_another_one(
    hear: Callable[[Samples], Transcript], sound: Samples
):
    noisy = seconds_of(
        degrading.in_noise(sound, degrading.white(len(sound), np.random.default_rng(1)), ratio_db=5), 0, 9
    )
    first, again = hear(noisy).to_json(), hear(noisy).to_json()
    hear(seconds_of(dialogues.samples("chest_pain"), 0, 6))
    assert first == again == hear(noisy).to_json()


OFFLINE = """
import os, socket, sys
from pathlib import Path

def refuse(*arguments, **options):
    print("the network was asked for", arguments[1:], file=sys.stderr)
    raise OSError("there is no network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
os.environ.pop("HF_HUB_OFFLINE", None)
from adapters.speech.opening import EngineSpec, build_engine
transcript = build_engine(EngineSpec()).transcribe(lambda: Path(sys.argv[1]).open("rb"), language="en")
sys.stdout.buffer.write(transcript.to_json())
"""


@pytest.mark.slow
def test_a_new_process_without_a_network_gives_the_same_bytes(
    hear: Callable[[Samples], Transcript], sound: Samples, tmp_path: Path
):
    recording = tmp_path / "recording.wav"
    samples = seconds_of(sound, 0, 11)
    recording.write_bytes(wav(samples.reshape(1, -1)))
    heard = subprocess.run([sys.executable, "-c", OFFLINE, str(recording)], capture_output=True, check=True)
    assert b"the network was asked for" not in heard.stderr
    assert heard.stdout == hear(samples).to_json()


@pytest.mark.parametrize("kind", ["digital silence", "dither"])
def test_silence_has_no_words_and_nothing_to_tell(hear: Callable[[Samples], Transcript], kind: str):
    heard = hear(seconds_of(non_speech(kind), 0, 10))
    assert (heard.text, heard.segments, heard.unrecognized) == ("", (), ())
    assert heard.duration_ms == 10_000


@pytest.mark.parametrize(
    "kind",
    ["white, loud", "pink, middle", "brown, loud", "phone, ringing", "doorbell", "typing", "piano", "strings", "band"],
)
def test_what_nobody_speaks_in_has_no_words_and_is_told_as_no_speech(hear: Callable[[Samples], Transcript], kind: str):
    heard = hear(np.concatenate([silence(4), seconds_of(non_speech(kind), 0, 10), silence(4)]))
    assert heard.text == ""
    assert {told.reason for told in heard.unrecognized} == {"no_speech"}
    assert all(3.9 <= told.start < told.end <= 14.1 for told in heard.unrecognized)


def test_noise_beside_speech_is_told_and_the_speech_heard(hear: Callable[[Samples], Transcript], sound: Samples):
    question = seconds_of(sound, 18.9, 21.5)  # "Have you taken anything for the pain?"
    heard = hear(np.concatenate([seconds_of(non_speech("white, loud"), 0, 5), silence(1), question]))
    assert word_error_rate("Have you taken anything for the pain?", heard.text) == 0
    (told,) = heard.unrecognized
    assert (told.reason, told.start) == ("no_speech", 0)
    assert told.end == pytest.approx(5, abs=0.2)


@pytest.mark.slow
def test_speech_40_db_softer_is_still_heard(hear: Callable[[Samples], Transcript], sound: Samples):
    heard = hear(degrading.quiet(first_half(sound)))
    assert word_error_rate(turns(sample.spoken_text(), HALF_TURNS), heard.text) <= 0.05


@pytest.mark.slow
def test_speech_50_db_softer_in_16_bits_is_still_heard(hear: Callable[[Samples], Transcript], sound: Samples):
    heard = hear(degrading.quiet((seconds_of(sound, 0, 11) / 3.16).astype(np.int16)))
    assert word_error_rate(turns(sample.spoken_text(), 2), heard.text) <= 0.05


def test_noise_at_minus_60_db_is_not_raised_to_words(hear: Callable[[Samples], Transcript]):
    noise = np.random.default_rng(1).normal(0, 32.768, 20 * SAMPLE_RATE).astype(np.int16)
    heard = hear(noise)
    assert (heard.text, heard.unrecognized) == ("", ())


def test_somebody_40_db_softer_than_the_other_speaker_is_heard(hear: Callable[[Samples], Transcript], sound: Samples):
    heard = hear(np.concatenate([seconds_of(sound, 0, 5.8), degrading.quiet(seconds_of(sound, 5.8, 11))]))
    assert word_error_rate(turns(sample.spoken_text(), 2), heard.text) <= 0.05


@pytest.mark.slow
def test_speech_through_a_telephone_is_still_heard(hear: Callable[[Samples], Transcript], sound: Samples):
    heard = hear(degrading.telephone(first_half(sound)))
    assert word_error_rate(turns(sample.spoken_text(), HALF_TURNS), heard.text) <= 0.10


def test_stereo_with_one_channel_inverted_is_heard(engine: SpeechEngine, sound: Samples):
    spoken = seconds_of(sound, 0, 11)
    heard = engine.transcribe(opener(wav(np.stack([spoken, np.maximum(-spoken, -32767)]))), language="en")
    assert word_error_rate(turns(sample.spoken_text(), 2), heard.text) == 0
    assert {segment.speaker for segment in heard.segments} == {None}


def said_by(heard: Transcript, speaker: str) -> str:
    return " ".join(segment.text for segment in heard.segments if segment.speaker == speaker)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{"crosstalk": -20, "delay": 0.1}, {"gains": (0, -40), "hiss": -90}],
    ids=["each hears an echo of the other", "one side is 40 dB softer"],
)
def test_both_sides_of_a_call_are_heard_once_and_named(engine: SpeechEngine, settings: dict[str, float]):
    heard = engine.transcribe(opener(wav(call("headache", 26.5, **settings))), language="en")
    for speaker, text in zip(("S1", "S2"), texts("headache"), strict=True):
        assert word_error_rate(turns(text, 3), said_by(heard, speaker)) <= 0.05
    assert [segment.speaker for segment in heard.segments][:3] == ["S1", "S1", "S2"]
    assert all(one.start <= other.start for one, other in pairwise(heard.segments))
    assert heard.duration_ms == 26_500
    assert heard.unrecognized == ()


def test_a_short_answer_in_a_quiet_minute_is_heard(hear: Callable[[Samples], Transcript], sound: Samples):
    answer = seconds_of(sound, 30.2, 32.7)
    heard = hear(np.concatenate([silence(10), answer, silence(45)]))
    assert word_error_rate("Yes, I am allergic to penicillin.", heard.text) == 0


@pytest.mark.slow
def test_speech_without_a_pause_loses_no_words(hear: Callable[[Samples], Transcript], sound: Samples):
    spoken = without_pauses(seconds_of(sound, 0, 47.35))
    (stretch,) = find_speech(spoken).speech
    assert stretch.end - stretch.start > 35 * SAMPLE_RATE
    said = turns(sample.spoken_text(), 11).partition(" I will give you a prescription")[0]
    heard = hear(spoken)
    assert heard.text.endswith("plenty of water.")
    assert word_error_rate(said, heard.text) <= 0.06


def without_pauses(samples: Samples) -> Samples:
    """Without all that is soft for longer than a tenth of a second."""
    frame = SAMPLE_RATE // 50
    framed = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.sqrt(np.square(framed.astype(float)).mean(axis=1)) > 100
    kept = np.convolve(loud, np.ones(5), mode="same") > 0
    return framed[kept].reshape(-1)


@pytest.mark.slow
def test_the_last_word_of_a_window_is_not_lost(hear: Callable[[Samples], Transcript]):
    heard = hear(seconds_of(dialogues.samples("diabetes"), 0, 30.7))
    assert "I forget to take my tablets at the weekend. How is your diet?" in heard.text
    assert word_error_rate(turns(dialogues.text("diabetes"), 7), heard.text) <= 0.05


@pytest.mark.slow
def test_a_recording_that_ends_within_a_word_has_no_word_after_its_end(
    hear: Callable[[Samples], Transcript], sound: Samples
):
    heard = hear(seconds_of(sound, 0, 9.1))
    assert heard.segments[-1].end <= heard.duration_ms / 1000


@pytest.mark.parametrize("language", ["en", "en-US", "en-GB", "EN"])
def test_english_is_heard_in_every_form_and_named_as_it_was_asked(engine: SpeechEngine, language: str):
    heard = engine.transcribe(opener(wav(silence(1).reshape(1, -1))), language=language)
    assert heard.language == language


def test_another_language_is_refused_by_name(engine: SpeechEngine):
    with pytest.raises(UnsupportedLanguage) as error:
        engine.transcribe(opener(wav(silence(1).reshape(1, -1))), language="fr")
    assert str(error.value) == "The faster-whisper engine does not understand 'fr', only en."


# In a process of its own, which prints what Python complains of when it ends.
HEARD_BY_A_WORKER = """
import asyncio, sys
from pathlib import Path
from adapters.speech.opening import EngineSpec, build_engine
from adapters.worker_processes import WorkerProcesses

def word_count(path):
    return build_engine(EngineSpec()).transcribe(lambda: Path(path).open("rb"), language="en").word_count

async def main():
    workers = WorkerProcesses(1)
    print(await workers.run(word_count, sys.argv[1]))
    await workers.close()

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.slow
def test_a_worker_that_is_killed_after_a_transcript_leaves_no_semaphore(tmp_path: Path):
    script, recording = tmp_path / "heard.py", tmp_path / "short.wav"
    script.write_text(HEARD_BY_A_WORKER)
    write(recording, [seconds_of(dialogues.samples(dialogues.NAMES[0]), 0, 5)])
    run = subprocess.run(
        [sys.executable, script, recording],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert int(run.stdout) > 0
    assert run.stderr == ""


# In a process of its own: the highest use of memory is a figure of a whole process.
MEASURE = """
import sys
from pathlib import Path
from adapters.speech.opening import EngineSpec, build_engine
from tests.tools.peak_memory import peak_bytes

engine = build_engine(EngineSpec())
short, long = (Path(path) for path in sys.argv[1:])
for _ in range(3):  # what it takes for the first recordings it keeps for the later ones
    engine.transcribe(lambda: short.open("rb"), language="en")
before = peak_bytes()
heard = engine.transcribe(lambda: long.open("rb"), language="en")
print(peak_bytes() - before, heard.duration_ms, heard.word_count)
"""


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_a_minute_when_the_process_is_warm(tmp_path: Path):
    short, long = tmp_path / "short.wav", tmp_path / "long.wav"
    spoken = [seconds_of(dialogues.samples(name), 0, 15) for name in dialogues.NAMES]
    write(short, [spoken[0], silence(45)])
    write(long, [part for number in (0, 1, 2) for part in (spoken[number], silence(20 * 60 - 15))])
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(short), str(long)], capture_output=True, text=True, check=True
    )
    grown_bytes, duration_ms, words = map(int, measured.stdout.split())
    assert duration_ms == 60 * 60 * 1000
    assert words > 90
    assert grown_bytes < long.stat().st_size


def write(path: Path, parts: Iterable[Samples]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        for part in parts:
            file.writeframes(part.tobytes())

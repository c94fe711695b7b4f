"""What of a recording is recognized on its own."""

import io
from typing import BinaryIO

import numpy as np
import pytest

from adapters.audio.decoding import SAMPLE_RATE, Samples, sound_blocks
from adapters.speech.transcript import TranscriptSegment
from adapters.speech.voice_activity import find_speech
from adapters.speech.voices import Voice, Voices, voices_of
from tests.adapters.audio.samples import opener, tone, wav
from tests.adapters.speech.calls import call, speakers


def sound_of(voice: Voice) -> Samples:
    blocks = list(voice.blocks())
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


def energy(sound: np.ndarray) -> float:
    return float(np.square(sound.astype(np.float64)).sum())


class Opened:
    """Counts what is read of a recording."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.bytes_read = 0

    def __call__(self) -> BinaryIO:
        return _Reader(self, self._content)


class _Reader(io.BytesIO):
    def __init__(self, opened: Opened, content: bytes) -> None:
        super().__init__(content)
        self._opened = opened

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._opened.bytes_read += len(data)
        return data


def test_a_mono_recording_is_one_voice_unchanged_and_read_once() -> None:
    sound = tone(20 * SAMPLE_RATE, rate=SAMPLE_RATE)
    opened = Opened(wav(sound))
    voices = voices_of(opened)
    (voice,) = voices.voices
    assert np.array_equal(sound_of(voice), sound[0])
    assert voices.is_plain
    once = Opened(wav(sound))
    list(sound_blocks(once))
    assert opened.bytes_read == once.bytes_read


@pytest.mark.parametrize("channels", [1, 2])
def test_a_recording_without_sound_is_one_voice(channels: int) -> None:
    (voice,) = voices_of(opener(wav(np.zeros((channels, 0), np.int16)))).voices
    assert len(sound_of(voice)) == 0


def test_stereo_is_one_voice_and_is_known_to_cancel_or_not() -> None:
    sound = tone(3 * SAMPLE_RATE + 7, rate=SAMPLE_RATE)[0]
    plain, inverted = (voices_of(opener(wav(np.stack([sound, sign * sound])))) for sign in (1, -1))
    assert (plain.is_plain, inverted.is_plain) == (True, False)
    assert all(np.array_equal(sound_of(one.voices[0])[640:], sound[640:]) for one in (plain, inverted))


def test_each_side_of_a_call_is_a_voice_as_long_as_the_call_without_the_other_side() -> None:
    sound = call("headache", 20.01, crosstalk=-20, hiss=-80)
    voices = voices_of(opener(wav(sound)))
    assert (len(voices.voices), voices.is_plain) == (2, False)
    for voice, own, other in zip(
        voices.voices, speakers("headache", 20.01), reversed(speakers("headache", 20.01)), strict=True
    ):
        heard = sound_of(voice)
        assert len(heard) == sound.shape[1]
        assert energy(heard[own != 0]) > 0.99 * energy(own)
        # Less than a thousandth of what the other says, of which the recording has a hundredth.
        assert energy(heard[other != 0]) < 0.001 * energy(other)


def test_the_echo_of_somebody_recorded_very_softly_is_no_speech() -> None:
    """Its first moments are above the noise there before they are on the speaker's own channel."""
    sound = call("ear_infection", 25.0, crosstalk=-20, hiss=-90, gains=(-40, 0))
    doctor, patient = (find_speech(sound_of(voice)).speech for voice in voices_of(opener(wav(sound))).voices)
    assert [round(stretch.start / SAMPLE_RATE) for stretch in doctor] == [1, 12, 19]
    assert [round(stretch.start / SAMPLE_RATE) for stretch in patient] == [6, 14, 21]


def segment(start: float, text: str) -> TranscriptSegment:
    return TranscriptSegment(start=start, end=start + 1, text=text)


def named(voices: int, *segments: list[TranscriptSegment]) -> list[tuple[str | None, str]]:
    several = Voices((Voice(lambda: iter(())),) * voices, is_plain=False)
    return [(one.speaker, one.text) for one in several.named(segments)]


def test_separate_speakers_are_numbered_in_the_order_in_which_they_first_speak() -> None:
    heard = named(3, [segment(5, "later"), segment(9, "again")], [], [segment(2, "first")])
    assert heard == [("S1", "first"), ("S2", "later"), ("S2", "again")]


def test_a_single_voice_has_no_name() -> None:
    assert named(1, [segment(5, "alone")]) == [(None, "alone")]

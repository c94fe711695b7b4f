"""When the channels of a recording are taken for separate speakers, and what is then heard of each."""

from collections.abc import Callable

import numpy as np
import pytest

from adapters.audio.decoding import SAMPLE_RATE, Samples
from adapters.audio.mixing import FRAME_SAMPLES
from adapters.speech.channel_levels import ChannelLevels, SpeakerChannels, separate_speakers
from tests.adapters.speech.calls import Sound, call, channels, decibels, delayed, human, noise, speakers
from tests.places import SHARED_DATA
from tests.tools.bench.words.non_speech import KINDS, non_speech

needs_people = pytest.mark.skipif(
    not (SHARED_DATA / "speech").is_dir(), reason="there is no ../shared/data/speech beside this checkout"
)
HALF = decibels(-6)


def levels(sound: Samples) -> ChannelLevels:
    return ChannelLevels.of(sound[:, at : at + SAMPLE_RATE] for at in range(0, sound.shape[1], SAMPLE_RATE))


def found(sound: Samples) -> tuple[SpeakerChannels, ...]:
    return separate_speakers(levels(sound))


def together(name: str = "headache") -> Sound:
    one, other = speakers(name)
    return one + other


def spoken(sound: Sound, frames: int, *, within: float = 45) -> np.ndarray:
    """In which frames it is within this many decibels of its loudest."""
    energies = np.square(sound[: frames * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)).mean(axis=1)
    return energies > energies.max() / 10 ** (within / 10)


def reverberant(sound: Sound, seed: int) -> Sound:
    """As a microphone across the room hears it: half a second of echoes, 6 dB softer than the sound itself."""
    random = np.random.default_rng(seed)
    length = SAMPLE_RATE // 2
    tail = random.normal(0, 1, length) * 10 ** (-3 * np.arange(length) / length)
    tail *= decibels(-6) / np.sqrt(np.square(tail).sum())
    size = len(sound) + length
    return sound + np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]


@pytest.mark.parametrize("name", ["headache", "diabetes"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"crosstalk": -40},
        {"crosstalk": -20},
        {"crosstalk": -20, "delay": 0.1},
        {"crosstalk": -20, "delay": 0.25},
        {"crosstalk": -20, "hiss": -45},
        {"gains": (0, -40), "hiss": -90},
        {"gains": (-40, 0), "hiss": -90, "crosstalk": -20},
        {"gains": (-40, -40), "hiss": -90, "crosstalk": -20},
    ],
    ids=str,
)
def test_both_sides_of_a_call_are_speakers_and_all_that_they_say_is_heard(
    name: str, settings: dict[str, float]
) -> None:
    both = found(call(name, **settings))  # type: ignore[arg-type]
    assert [one.channels for one in both] == [(0,), (1,)]
    for speaker, sound in zip(both, speakers(name), strict=True):
        says = spoken(sound, len(sound) // FRAME_SAMPLES)
        assert speaker.is_open[: len(says)][says].mean() > 0.999


@pytest.mark.parametrize("delay", [0, 0.1, 0.25])
def test_the_echo_of_the_other_side_is_not_heard(delay: float) -> None:
    both = found(call("headache", crosstalk=-20, delay=delay))
    for speaker, other in zip(both, reversed(speakers("headache")), strict=True):
        says = spoken(other, len(other) // FRAME_SAMPLES)
        inner = (
            says & np.roll(says, 25) & np.roll(says, -25)
        )  # half a second into what the other says, or before its end
        assert speaker.is_open[: len(says)][inner].mean() < 0.02


def test_a_soft_speaker_is_heard_although_the_echo_of_the_other_is_louder() -> None:
    one, other = speakers("headache")
    soft, echo = other * decibels(-30), decibels(-20)
    both = found(channels(one + soft * echo + noise(-80, 1, one), soft + one * echo + noise(-80, 2, one)))
    says = spoken(other, len(other) // FRAME_SAMPLES)
    assert both[1].is_open[: len(says)][says].mean() > 0.999


def test_who_interrupts_the_other_is_heard_too() -> None:
    one, other = speakers("headache")
    early, echo = np.roll(other, round(-1.2 * SAMPLE_RATE)), decibels(-20)
    both = found(channels(one + early * echo, early + one * echo))
    for speaker, sound in zip(both, (one, early), strict=True):
        says = spoken(sound, len(sound) // FRAME_SAMPLES)
        assert speaker.is_open[: len(says)][says].mean() > 0.99


@needs_people
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("jfk.flac", "533-1066-0001.flac"),
        ("533-1066-0004.flac", "goforward.wav"),
        ("numbers.wav", "something.wav"),
        ("conversation-sales.wav", "533-1066-0008.flac"),
    ],
)
@pytest.mark.parametrize("delay", [0, 0.15])
def test_real_people_on_two_channels_are_speakers(first: str, second: str, delay: float) -> None:
    one, other = human(first), human(second)
    left = np.concatenate([one, np.zeros_like(other)] * 2)
    right = np.concatenate([np.zeros_like(one), other] * 2)
    echo = decibels(-20)
    both = found(
        channels(
            left + delayed(right, delay) * echo + noise(-70, 1, left),
            right + delayed(left, delay) * echo + noise(-70, 2, left),
        )
    )
    assert [speaker.channels for speaker in both] == [(0,), (1,)]
    for speaker, sound in zip(both, (left, right), strict=True):
        says = spoken(sound, len(sound) // FRAME_SAMPLES, within=25)
        assert speaker.is_open[: len(says)][says].mean() > 0.98


@needs_people
@pytest.mark.parametrize("name", ["conversation-two-voices.wav", "jfk.flac"])
def test_real_people_in_one_room_are_not_speakers(name: str) -> None:
    heard = human(name)
    assert found(channels(reverberant(heard, 1), HALF * reverberant(delayed(heard, 0.003), 2))) == ()


def test_both_channels_of_a_stereo_track_belong_to_one_speaker() -> None:
    left, right = call("headache", crosstalk=-20)
    empty = np.zeros_like(left)
    assert [one.channels for one in found(np.stack([left, right, left, empty, right]))] == [(0, 2), (1, 4)]


def test_who_says_only_a_word_in_a_call_of_others_is_heard_too() -> None:
    one, other = speakers("headache")
    word = np.zeros_like(one)
    word[-SAMPLE_RATE // 2 :] = other[round(30.9 * SAMPLE_RATE) :][: SAMPLE_RATE // 2]
    assert len(found(channels(one, other, word))) == 3


NOT_SEPARATE: dict[str, Callable[[], Samples]] = {
    "dual mono": lambda: channels(together(), together()),
    "one inverted": lambda: channels(together(), -together()),
    "one channel empty": lambda: channels(together(), 0 * together()),
    "one channel with nothing but hiss": lambda: channels(together(), noise(-40, 1, together())),
    "one channel far softer": lambda: channels(together(), together() * decibels(-20)),
    "a leak into the other channel": lambda: channels(
        together() + noise(-80, 1, together()), together() * decibels(-40) + noise(-80, 2, together())
    ),
    "two microphones in one room": lambda: channels(
        *(
            reverberant(near, 1) + HALF * reverberant(delayed(far, 0.003), 2) + noise(-60, 3, near)
            for near, far in (speakers("headache"), speakers("headache")[::-1])
        )
    ),
    "only one side speaks, the other has its echo": lambda: channels(
        speakers("headache")[0] + noise(-70, 1, together()),
        delayed(speakers("headache")[0], 0.25) * decibels(-20) + noise(-70, 2, together()),
    ),
    "typing on the other channel": lambda: channels(together(), np.resize(non_speech("typing"), len(together())) * 1.0),
    "a short word on the other channel": lambda: channels(
        together(), np.where(np.arange(len(together())) < SAMPLE_RATE, together()[-30 * SAMPLE_RATE], 0)
    ),
    "panned music": lambda: channels(
        0.9 * non_speech("piano") + 0.3 * non_speech("strings"), 0.9 * non_speech("strings") + 0.3 * non_speech("piano")
    ),
    "an instrument on each channel": lambda: channels(1.0 * non_speech("band"), 1.0 * non_speech("piano")),
    "noise": lambda: channels(noise(-20, 1, together()), noise(-20, 2, together())),
    "one channel": lambda: channels(together()),
    "nothing": lambda: np.zeros((2, 0), np.int16),
    "silence": lambda: np.zeros((2, 100_000), np.int16),
    "less than a frame": lambda: np.ones((2, 10), np.int16),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", NOT_SEPARATE)
def test_channels_of_other_recordings_are_not_separate_speakers(kind: str) -> None:
    assert found(NOT_SEPARATE[kind]()) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_no_sound_without_speech_is_taken_for_speakers(kind: str) -> None:
    sound = non_speech(kind) * 1.0
    assert found(channels(sound, np.roll(sound, 37) * 0.7)) == ()


def test_it_is_known_whether_plain_mixing_cancels() -> None:
    both = together()
    assert levels(channels(both, -both)).would_cancel
    assert levels(channels(both, np.where(np.arange(len(both)) < len(both) // 2, both, -both))).would_cancel
    assert not levels(channels(both, both)).would_cancel
    assert not levels(channels(both, 0 * both)).would_cancel
    assert not levels(call("headache")).would_cancel

"""Sounds without speech, made by code: every word that is heard in them is invented.

The same seed gives the same samples, on any machine with the same numpy.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE, Samples
from tests.tools.bench.words.degrading import Sound, as_samples, coloured, level, pink, white

SECONDS = 48
_SIZE = SECONDS * SAMPLE_RATE
_TIME = np.arange(_SIZE) / SAMPLE_RATE

_SOFT, _MIDDLE, _LOUD = 0.003, 0.03, 0.2

Random = np.random.Generator


def non_speech(kind: str) -> Samples:
    """48 seconds of one kind."""
    return as_samples(KINDS[kind](np.random.default_rng(zlib.crc32(kind.encode()))))


def digital_silence(_: Random) -> Sound:
    return np.zeros(_SIZE)


def dither(random: Random) -> Sound:
    """The last bit, at random."""
    return random.integers(-1, 2, _SIZE) / 32768


def brown(size: int, random: Random) -> Sound:
    """6 dB softer per octave."""
    return coloured(size, random, lambda hertz: 1 / hertz)


def mains_hum(random: Random) -> Sound:
    """50 Hz and its overtones, in a little noise."""
    tones = sum(np.sin(2 * np.pi * 50 * n * _TIME) / n for n in (1, 2, 3, 4, 6, 8))
    return _at(tones, 0.05) + _at(white(_SIZE, random), 0.001)


def wind(random: Random) -> Sound:
    """Low noise whose strength comes and goes."""
    return _at(brown(_SIZE, random) * _slowly(random, 0.4) ** 2, 0.08)


def breaths(random: Random) -> Sound:
    """In and out, fifteen times a minute: noise at the frequencies of a mouth."""

    def airy(size: int) -> Sound:
        noise = coloured(size, random, lambda hertz: np.exp(-(((hertz - 1200) / 900) ** 2)) + 0.05)
        return noise * np.hanning(size)

    events = [(at, airy(_samples(length))) for start in range(1, SECONDS - 3, 4) for at, length in _breath(start)]
    return _at(_placed(events), 0.02) + _at(pink(_SIZE, random), 0.0005)


def _breath(start: float) -> Iterator[tuple[float, float]]:
    yield start, 1.1
    yield start + 1.5, 1.4


def typing(random: Random) -> Sound:
    """Keys going down and up, seven a second, with pauses."""
    times = np.cumsum(random.gamma(2, 0.07, SECONDS * 7))
    struck = [at for at in times if at < SECONDS - 1 and at % 8 < 6]
    events = [(at + shift, _click(random, gain)) for at in struck for shift, gain in ((0, 1.0), (0.08, 0.5))]
    return 0.25 * _placed(events) + _at(pink(_SIZE, random), 0.0008)


def _click(random: Random, gain: float) -> Sound:
    size = _samples(0.03)
    tone = np.sin(2 * np.pi * random.uniform(1500, 4000) * np.arange(size) / SAMPLE_RATE)
    return gain * (random.normal(0, 0.6, size) + tone) * np.exp(-np.arange(size) / 60)


def phone_ringing(_: Random) -> Sound:
    """440 and 480 Hz, for two of every six seconds."""
    ring = np.sin(2 * np.pi * 440 * _TIME) + np.sin(2 * np.pi * 480 * _TIME)
    return _at(ring * (_TIME % 6 < 2), 0.1)


def trilling_phone(_: Random) -> Sound:
    """A phone on a desk: two tones that alternate twenty times a second."""
    tone = np.where(_TIME % 0.1 < 0.05, 1050, 1400)
    return _at(np.sin(2 * np.pi * np.cumsum(tone) / SAMPLE_RATE) * (_TIME % 4 < 1.5), 0.1)


def doorbell(_: Random) -> Sound:
    """Ding dong, every six seconds."""
    events = [
        (start + shift, _struck(pitch, 1.8, (1.0, 0.3, 0.15), 0.5))
        for start in range(1, SECONDS - 4, 6)
        for shift, pitch in ((0.0, 659.3), (0.7, 523.3))
    ]
    return 0.3 * _placed(events)


def dtmf(random: Random) -> Sound:
    """Dialled digits: pairs of tones."""
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    events = []
    for at in np.arange(0.5, SECONDS - 1, 0.22):
        if at % 6 < 3:
            size = _samples(0.12)
            time = np.arange(size) / SAMPLE_RATE
            pair = (random.choice(rows), random.choice(columns))
            events.append((at, sum(np.sin(2 * np.pi * tone * time) for tone in pair)))
    return 0.15 * _placed(events)


def monitor_beeps(random: Random) -> Sound:
    """A heart at 72 a minute, and now and then an alarm of three tones, over a fan."""
    beeps = [(at, _struck(880, 0.12, (1.0, 0.2), 5)) for at in np.arange(0.5, SECONDS - 1, 60 / 72)]
    alarms = [
        (start + 0.25 * tone, _struck(1320, 0.18, (1.0, 0.4, 0.2), 5))
        for start in range(5, SECONDS - 3, 12)
        for tone in range(3)
    ]
    return 0.15 * _placed(beeps + alarms) + _at(pink(_SIZE, random), 0.003)


def piano(random: Random) -> Sound:
    """A slow melody over chords: struck strings that die away."""
    scale = (261.6, 293.7, 329.6, 349.2, 392.0, 440.0, 493.9, 523.3)
    melody = [(at, _struck(float(random.choice(scale)), 1.6, _PIANO, 0.45)) for at in np.arange(0, SECONDS - 2, 0.5)]
    roots = (130.8, 110.0, 174.6, 98.0)
    chords = [
        (at, 0.6 * _struck(roots[at // 2 % len(roots)] * step, 2.5, _PIANO, 0.8))
        for at in range(0, SECONDS - 3, 2)
        for step in (1, 1.26, 1.5)
    ]
    return _at(_placed(melody + chords), 0.08)


_PIANO = (1.0, 0.6, 0.35, 0.2, 0.12, 0.08)


def strings(random: Random) -> Sound:
    """Three bowed voices with vibrato, a new chord every three seconds: the music most like singing."""
    chords = np.array([(220.0, 277.2, 329.6), (196.0, 246.9, 293.7), (174.6, 220.0, 261.6), (164.8, 207.7, 246.9)])
    which = (np.arange(_SIZE) // (3 * SAMPLE_RATE)) % len(chords)
    mixed = np.zeros(_SIZE)
    for voice in range(3):
        vibrato = 1 + 0.006 * np.sin(2 * np.pi * random.uniform(5, 6) * _TIME + voice)
        phase = 2 * np.pi * np.cumsum(chords[which, voice] * vibrato) / SAMPLE_RATE
        mixed += sum(np.sin(n * phase) / n for n in range(1, 13))
    swell = 0.4 + 0.6 * np.sin(np.pi * (_TIME % 3) / 3)
    return _at(mixed * swell, 0.08)


def band(random: Random) -> Sound:
    """Drums and bass at 120 beats a minute."""
    beat = 0.5
    events = []
    for number, at in enumerate(np.arange(0, SECONDS - 1, beat / 2)):
        events.append((at, 0.3 * _hit(random, 0.05)))
        if number % 4 == 0:
            events.append((at, _kick()))
        if number % 8 == 4:
            events.append((at, 0.8 * _hit(random, 0.18)))
        events.append((at, 0.5 * _struck(float(random.choice((55.0, 65.4, 73.4, 82.4))), 0.24, (1, 0.7, 0.4, 0.2), 3)))
    return _at(_placed(events), 0.12)


def _kick() -> Sound:
    time = np.arange(_samples(0.25)) / SAMPLE_RATE
    return np.sin(2 * np.pi * (50 * time + 6 * (1 - np.exp(-time * 30)))) * np.exp(-time * 14)


def _hit(random: Random, seconds: float) -> Sound:
    size = _samples(seconds)
    return random.normal(0, 0.5, size) * np.exp(-np.arange(size) / SAMPLE_RATE * 4 / seconds)


def crackle(random: Random) -> Sound:
    """An old record or a bad line: a hundred extreme samples a second, over hiss."""
    clicks = np.where(random.random(_SIZE) < 100 / SAMPLE_RATE, random.normal(0, 0.3, _SIZE), 0)
    return clicks + _at(white(_SIZE, random), 0.002)


def paper(random: Random) -> Sound:
    """Pages turned and crumpled: bursts of high noise made of tiny ones."""
    events = []
    for at in np.arange(0.5, SECONDS - 2, 2.2):
        size = _samples(random.uniform(0.4, 1.2))
        noise = coloured(size, random, lambda hertz: np.clip(hertz / 3000, 0, 1))
        grains = np.convolve(random.random(size) < 0.01, np.exp(-np.arange(200) / 40))[:size]
        events.append((at, noise * grains * np.hanning(size)))
    return _at(_placed(events), 0.03) + _at(pink(_SIZE, random), 0.0008)


def footsteps_and_door(random: Random) -> Sound:
    """Steps in a corridor, and a door that falls shut."""
    heel = 0.5 * _kick()[: _samples(0.08)]
    steps = [(at, 0.4 * _hit(random, 0.08) + heel) for at in np.arange(0.5, SECONDS - 2, 0.55)]
    doors = [(at, 1.5 * _kick()) for at in range(6, SECONDS - 2, 10)]
    return 0.2 * _placed(steps + doors) + _at(brown(_SIZE, random), 0.002)


def _noise(make: Callable[[int, Random], Sound], loudness: float) -> Callable[[Random], Sound]:
    return lambda random: _at(make(_SIZE, random), loudness)


KINDS: dict[str, Callable[[Random], Sound]] = {
    "digital silence": digital_silence,
    "dither": dither,
    "white, soft": _noise(white, _SOFT),
    "white, loud": _noise(white, _LOUD),
    "pink, soft": _noise(pink, _SOFT),
    "pink, middle": _noise(pink, _MIDDLE),
    "pink, loud": _noise(pink, _LOUD),
    "brown, soft": _noise(brown, _SOFT),
    "brown, loud": _noise(brown, _LOUD),
    "mains hum": mains_hum,
    "wind": wind,
    "breaths": breaths,
    "typing": typing,
    "phone, ringing": phone_ringing,
    "phone, trilling": trilling_phone,
    "doorbell": doorbell,
    "DTMF": dtmf,
    "monitor": monitor_beeps,
    "piano": piano,
    "strings": strings,
    "band": band,
    "crackle": crackle,
    "paper": paper,
    "steps and door": footsteps_and_door,
}


def _at(sound: Sound, loudness: float) -> Sound:
    return sound * (loudness / level(sound))


def _slowly(random: Random, hertz: float) -> Sound:
    """Between 0 and 1, changing about this often per second."""
    points = random.random(int(SECONDS * hertz) + 2)
    return np.interp(_TIME * hertz, np.arange(len(points)), points)


def _struck(pitch: float, seconds: float, overtones: Sequence[float], decay_seconds: float) -> Sound:
    """A tone that begins at once and dies away; higher overtones sooner."""
    time = np.arange(_samples(seconds)) / SAMPLE_RATE
    partials = (
        gain * np.sin(2 * np.pi * pitch * number * time) * np.exp(-time * number / decay_seconds)
        for number, gain in enumerate(overtones, start=1)
    )
    return sum(partials) * np.minimum(1, np.minimum(time, seconds - time) / 0.005)  # no click at either end


def _placed(events: Sequence[tuple[float, Sound]]) -> Sound:
    """All of them at their times in seconds, over silence."""
    mixed = np.zeros(_SIZE)
    for at, sound in events:
        start = _samples(at)
        room = mixed[start : start + len(sound)]
        room += sound[: len(room)]
    return mixed


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)

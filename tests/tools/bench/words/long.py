"""One long recording, our dialogues with pauses: its cost on one core, and with two workers on two."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE
from tests.tools.bench.words.clips import Place
from tests.tools.bench.words.conditions import written
from tests.tools.bench.words.degrading import as_samples, pink
from tests.tools.bench.words.engines import OURS, PLAIN, Heard
from tests.tools.bench.words.hearing import Listener
from tests.tools.bench.words.sets import Clip

HALF_HOUR_SECONDS = 30 * 60
QUICK_SECONDS = 5 * 60
TODAY_SECONDS = 60
"""Pocketsphinx takes several times as long; its figures per second of sound do not depend on the length."""

_TURNS = 3
_PAUSES_SECONDS = (4, 15, 2, 30)
_PAUSE_LOUDNESS = 0.0005
"""A quiet room: nothing recorded is digital silence."""


@dataclass(frozen=True)
class Long:
    """A recording heard as a whole by one worker."""

    clip: Clip
    heard: Heard

    @property
    def cpu_factor(self) -> float:
        return self.heard.cpu_seconds / self.clip.seconds

    @property
    def real_time_factor(self) -> float:
        return self.heard.wall_seconds / self.clip.seconds


def long_recording(dialogues: Sequence[Clip], seconds: float, folder: Path) -> Clip:
    """Whole dialogues, repeated with a pause after each, until it is this long."""
    random = np.random.default_rng(1)
    sound, said, length, number = [], [], 0, 0
    while length < seconds * SAMPLE_RATE:
        dialogue = dialogues[number % len(dialogues)]
        pause = _PAUSES_SECONDS[number % len(_PAUSES_SECONDS)] * SAMPLE_RATE
        sound += [dialogue.samples, as_samples(pink(pause, random) * _PAUSE_LOUDNESS)]
        said.append(dialogue.said)
        length += len(dialogue.samples) + pause
        number += 1
    return Clip(written(np.concatenate(sound), folder / f"long-{round(seconds)}.wav"), "\n".join(said))


def heard_alone(engine: str, clip: Clip, place: Place) -> Long:
    with Listener(engine, place.core, place.warm_up) as listener:
        return Long(clip, listener.hear(clip.path))


def ratios_in_turns(clip: Clip, place: Place) -> list[float]:
    """Our processor time divided by the plain library's, for the same recording, repeatedly and in turns."""
    ratios = []
    with (
        Listener(OURS, place.core, place.warm_up) as ours,
        Listener(PLAIN, place.core, place.warm_up) as plain,
    ):
        for turn in range(_TURNS):
            order = (ours, plain) if turn % 2 else (plain, ours)
            spent = {listener: listener.hear(clip.path).cpu_seconds for listener in order}
            ratios.append(spent[ours] / spent[plain])
    return ratios


def real_time_factor_of_two(engine: str, clip: Clip, cores: Sequence[int], place: Place) -> float:
    """Two workers, each on its own core, hear the recording at once: seconds per second of sound."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(Listener(engine, core, place.warm_up)) for core in cores[:2]]
        began = time.perf_counter()
        for listener in listeners:
            listener.begin(clip.path)
        for listener in listeners:
            listener.result()
        return (time.perf_counter() - began) / (len(listeners) * clip.seconds)

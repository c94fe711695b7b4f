"""What telling speakers apart costs the whole engine: the same recording heard with it and without, in turns."""

from dataclasses import dataclass

from tests.tools.bench.words.clips import Place
from tests.tools.bench.words.engines import OURS, UNNAMED, Heard
from tests.tools.bench.words.hearing import Listener
from tests.tools.bench.words.sets import Clip

_TURNS = 5


@dataclass(frozen=True)
class Cost:
    """`ratios`: the processor time with speakers, divided by that without, turn by turn."""

    ratios: list[float]
    peak_bytes: int
    peak_bytes_without: int


def cost_of_speakers(clip: Clip, place: Place) -> Cost:
    """Each has a process of its own on the same core, and each begins every second turn."""
    ratios: list[float] = []
    last: dict[str, Heard] = {}
    with (
        Listener(OURS, place.core, place.warm_up) as named,
        Listener(UNNAMED, place.core, place.warm_up) as unnamed,
    ):
        listeners = {OURS: named, UNNAMED: unnamed}
        for turn in range(_TURNS):
            for name in sorted(listeners, reverse=bool(turn % 2)):
                last[name] = listeners[name].hear(clip.path)
            ratios.append(last[OURS].cpu_seconds / last[UNNAMED].cpu_seconds)
    return Cost(ratios, last[OURS].peak_bytes, last[UNNAMED].peak_bytes)

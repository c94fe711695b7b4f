"""Words and processor time of every engine over each set in each condition, the engines taking turns."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.tools.bench.words.conditions import CLEAN, in_condition
from tests.tools.bench.words.engines import OURS, PLAIN, Heard
from tests.tools.bench.words.hearing import Listener
from tests.tools.bench.words.scoring import Score, lost_words, score
from tests.tools.bench.words.sets import DIALOGUES, READ, Clip


@dataclass
class Cell:
    """What the engines heard in one set in one condition, clip by clip."""

    set_name: str
    condition: str
    clips: Sequence[Clip]
    heard: dict[str, list[Heard]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return sum(clip.seconds for clip in self.clips)

    def scores(self, engine: str) -> list[Score]:
        return [score(clip.said, heard.text) for clip, heard in zip(self.clips, self.heard[engine], strict=True)]

    def total(self, engine: str) -> Score:
        return sum(self.scores(engine), start=Score())

    def cpu_seconds(self, engine: str) -> float:
        return sum(heard.cpu_seconds for heard in self.heard[engine])

    def peak_bytes(self, engine: str) -> int:
        return max(heard.peak_bytes for heard in self.heard[engine])

    def ratios(self) -> list[float]:
        """Our processor time divided by the plain library's, clip by clip."""
        pairs = zip(self.heard[OURS], self.heard[PLAIN], strict=True)
        return [ours.cpu_seconds / plain.cpu_seconds for ours, plain in pairs]

    def lost(self) -> int:
        """Words that the plain library heard and we did not."""
        clips = zip(self.clips, self.heard[OURS], self.heard[PLAIN], strict=True)
        return sum(lost_words(clip.said, ours.text, plain.text) for clip, ours, plain in clips)


@dataclass(frozen=True)
class Place:
    """Where the measurements run: a folder for recordings, a core, and a short recording that loads the models."""

    folder: Path
    core: int
    warm_up: Path


def measured(
    sets: dict[str, Sequence[Clip]],
    conditions_of: dict[str, Sequence[str]],
    *,
    conditions: Sequence[str],
    voices: Sequence[Clip],
    place: Place,
) -> Iterator[Cell]:
    """The cells one after another.

    `conditions_of` says what each engine hears. The babble is made of `voices`, which are not only those of the sets,
    so that a condition is the same in every run.
    """
    for set_name, clips in sets.items():
        for condition in conditions:
            hearing = [engine for engine, wanted in conditions_of.items() if condition in wanted]
            if hearing:
                yield _cell(Cell(set_name, condition, _clips_for(set_name, condition, clips)), voices, hearing, place)


def _clips_for(set_name: str, condition: str, clips: Sequence[Clip]) -> Sequence[Clip]:
    """All of them as recorded. For other conditions, one long dialogue and half of the read clips are enough."""
    if condition == CLEAN:
        return clips
    if set_name == DIALOGUES:
        return clips[:1]
    return clips[::2] if set_name == READ else clips


def _cell(cell: Cell, voices: Sequence[Clip], engines: Sequence[str], place: Place) -> Cell:
    """The engines take turns clip by clip, so that other load affects them all."""
    recordings = [in_condition(clip, cell.condition, voices, place.folder) for clip in cell.clips]
    with ExitStack() as stack:
        listeners = {name: stack.enter_context(Listener(name, place.core, place.warm_up)) for name in engines}
        cell.heard = {name: [] for name in engines}
        for number, recording in enumerate(recordings):
            for turn in range(len(engines)):
                name = engines[(number + turn) % len(engines)]
                cell.heard[name].append(listeners[name].hear(recording))
    return cell

"""Words that the engines hear where nobody speaks."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.tools.bench.words.clips import Place
from tests.tools.bench.words.conditions import written
from tests.tools.bench.words.engines import Heard
from tests.tools.bench.words.hearing import Listener
from tests.tools.bench.words.non_speech import KINDS, SECONDS, non_speech


@dataclass(frozen=True)
class Invented:
    """The words heard in 48 seconds of one kind of sound."""

    kind: str
    heard: dict[str, Heard]

    @property
    def minutes(self) -> float:
        return SECONDS / 60

    def words(self, engine: str) -> int:
        """As a user sees them, including annotations in brackets and fillers."""
        return len(self.heard[engine].text.split())


def invented(engines: Sequence[str], place: Place) -> Iterator[Invented]:
    with ExitStack() as stack:
        listeners = {name: stack.enter_context(Listener(name, place.core, place.warm_up)) for name in engines}
        for number, kind in enumerate(KINDS):
            recording = written(non_speech(kind), place.folder / f"non-speech-{number}.wav")
            yield Invented(kind, {name: listener.hear(recording) for name, listener in listeners.items()})

"""Counts of answers: who was answered what, how often."""

from collections import Counter, defaultdict
from collections.abc import Iterator


class Tally:
    def __init__(self) -> None:
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, who: str, answer: str, times: int = 1) -> None:
        self._counts[who][answer] += times

    def add_all(self, counts: dict[str, dict[str, int]]) -> None:
        """What `counts` of another process gave."""
        for who, answers in counts.items():
            for answer, times in answers.items():
                self.add(who, answer, times)

    def of(self, who: str) -> Counter[str]:
        return Counter(self._counts.get(who, ()))

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Plain values, for another process."""
        return {who: dict(answers) for who, answers in self._counts.items()}

    def lines(self) -> Iterator[str]:
        for who, answers in sorted(self._counts.items()):
            yield f"  {who}"
            for answer, times in answers.most_common():
                yield f"    {times:>8}  {answer}"

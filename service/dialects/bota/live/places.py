"""How far a listener has come: the ids of what is told (D).

An id tells how many segments a listener has, and a digest of what is said in them: so whoever answers next, in any
process and after any restart, knows whether that still holds, and where it ends. It is a digest of the text, not of how
that is cut: once all of a recording is heard and its speakers are known, a sentence may be cut where another one begins
to speak.
"""

import re
from dataclasses import dataclass
from typing import Self

PLACE = r"^[0-9]{1,7}-[0-9a-f]{12}(_[0-9]{1,9}_[0-9]{1,7}_[0-9]{1,7})?(-[0-9a-f]{12})?$"
_PLACE = re.compile(PLACE, re.ASCII)
MARK_DIGITS = 12
NO_MARK = "0" * MARK_DIGITS
"""The mark of no segments."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What is told rests on so many makings of the transcript, and so many replaced chunks: with others, it may not
    hold any more."""

    edition: int = 0
    replacements: int = 0


@dataclass(frozen=True, slots=True)
class Since:
    """A listener has what was said up to a time, on this basis."""

    until_ms: int
    basis: Basis

    def __str__(self) -> str:
        return f"{self.until_ms}_{self.basis.edition}_{self.basis.replacements}"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a listener has come. `mark`: of its last segment; `end`: of the end that it was told."""

    count: int = 0
    mark: str = NO_MARK
    end: str | None = None
    since: Since | None = None

    @classmethod
    def parse(cls, event_id: str) -> Self | None:
        """None if it is not the id of such an event."""
        if not _PLACE.fullmatch(event_id):
            return None
        count, told, *end = event_id.split("-")
        mark, *numbers = told.split("_")
        until_ms, edition, replacements = map(int, numbers) if numbers else (0, 0, 0)
        since = Since(until_ms, Basis(edition, replacements)) if numbers else None
        return cls(int(count), mark, end[0] if end else None, since)

    def __str__(self) -> str:
        told = self.mark if self.since is None else f"{self.mark}_{self.since}"
        return f"{self.count}-{told}" if self.end is None else f"{self.count}-{told}-{self.end}"

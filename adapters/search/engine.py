"""What a search index's database does in its own way: a port. All else is in the SQL that both share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

STATE = "search_state"
"""The table that says which others are in use. Whoever searches has a lock on it, where there are such locks."""


@dataclass(frozen=True, slots=True)
class Posting:
    """A passage's number, and the digests of its words, one after another."""

    number: int
    words: bytes


class Engine(Protocol):
    """Finds passages by their words, in tables for that. All methods run within the caller's transaction."""

    def names(self) -> list[str]:
        """Those of all tables there are."""
        ...

    def wait_for_searches(self, *, seconds: int) -> None:
        """Return once no search is reading, and keep others waiting until the transaction ends: to drop tables.

        Raises: HeldUp if that takes longer; so may every later statement of the transaction.
        """
        ...

    def create(self, words: str, passages: str) -> None:
        """Make the table `words`, for what is in `passages`, which was just made."""
        ...

    def add(self, words: str, postings: Sequence[Posting]) -> None: ...

    def take_out(self, words: str, postings: Sequence[Posting]) -> None: ...

    def newest(self, words: str, digests: Sequence[bytes], limit: int) -> list[list[int]]:
        """For each digest, the numbers of the newest passages with that word, the newest first.

        Costs the same however many others have it.
        """
        ...

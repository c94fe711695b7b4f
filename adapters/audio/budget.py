"""What may be spent on headers that turn out to be none, so that made-up ones cost no more time than real ones."""

from dataclasses import dataclass

_FREE, _BYTES_PER_UNIT = 1 << 15, 32

A_LOOK, SEVERAL_LOOKS, A_SEARCH = 1, 4, 16
"""What things cost: one unit is about ten microseconds of a usual processor."""

A_TINY_PART = 32
"""Of parts without room for sound, a thousand and one for each kilobyte are too many, though they take less time."""


@dataclass(slots=True)
class Budget:
    """Shared by all that is done with a file or a body of chunks: so all of it together stays in proportion to it."""

    left: int

    @classmethod
    def of(cls, size_bytes: int) -> "Budget":
        """More than any recording needs, however damaged: real sound seldom looks like a header."""
        return cls(_FREE + size_bytes // _BYTES_PER_UNIT)

    @property
    def is_spent(self) -> bool:
        return self.left <= 0

    def spend(self, units: int) -> None:
        self.left -= units

"""What is left out of a file for its decoder, and how much of it may stay."""

LONGEST_NOTE_BYTES = 1 << 12
"""What recorders write of themselves is shorter. A picture of this size cannot unpack to anything large."""

Patch = tuple[range, bytes]
"""A range of a file's bytes, and what takes its place: as many bytes, or not."""


class TooManyParts(Exception):
    """A file has so many parts without any sound that no recorder has written it. `what`: their name, for people."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"is damaged: it has more {self.what} without sound than any recorder writes"

"""Cuts a text that is too long into pieces. Promises time in proportion to the text, however long it is."""

from collections.abc import Iterator


def pieces_of(text: str, *, longest: int) -> Iterator[str]:
    """The text in pieces of at most `longest` characters, parted between words where there is a space."""
    start = 0
    while len(text) - start > longest:
        space = text.rfind(" ", start + 1, start + longest + 1)
        end = space if space > start else start + longest
        yield text[start:end].rstrip()
        start = end
        while start < len(text) and text[start].isspace():
            start += 1
    if start < len(text):
        yield text[start:]

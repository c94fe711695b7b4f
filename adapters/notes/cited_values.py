"""What a language model answers an order with: JSON whose texts and numbers each cite words of the transcript.

Those whose citations do not hold are taken out, what is left of several parts is merged, and the form in which it is
written gives way to the values themselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from adapters.notes.citations import CitedLines
from adapters.notes.compared_words import compared_words
from adapters.notes.note import NoteUnusable, Source
from adapters.notes.orders import CitedValue, Path, UnsupportedValue
from adapters.notes.written_statements import CITES, TEXT

BETWEEN_PARTS = " … "
"""Joins what several parts of a conversation say of the same thing."""

_NOTHING = (None, "")

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Cited:
    """A value that holds."""

    value: Scalar
    sources: tuple[Source, ...]


class Supported:
    """Takes out of written JSON what does not hold. `left_out` is what that was."""

    def __init__(self, lines: CitedLines) -> None:
        self._lines = lines
        self.left_out: list[UnsupportedValue] = []

    def of(self, written: Any, path: Path) -> Any:
        """The same with a `Cited` for each value that holds, and None for others; in lists they are missing."""
        if isinstance(written, dict) and CITES in written:
            return self._statement(written.get(TEXT), written[CITES], path)
        if isinstance(written, dict):
            return {name: self.of(value, (*path, name)) for name, value in written.items()}
        if isinstance(written, list):
            kept = [(one, self.of(one, path)) for one in written]
            return [each for one, each in kept if each is not None or one is None]
        return self._statement(written, None, path)

    def _statement(self, value: Any, cites: Any, path: Path) -> Cited | None:
        """A text or number without citations holds no more than one with false ones. Raises: NoteUnusable."""
        value = value.strip() if isinstance(value, str) else value
        if value in _NOTHING:
            return None
        if not isinstance(value, Scalar):
            raise NoteUnusable("The note writer's answer has a statement that is neither a text nor a number.")
        found = self._lines.lookup(str(value), cites)
        if found.unsupported is None:
            return Cited(value, found.sources)
        self.left_out.append(UnsupportedValue(path=path, value=value, reason=found.unsupported))
        return None


def merged(first: Any, second: Any) -> Any:
    """What two parts of a conversation say, in their order, and each thing once."""
    if first is None or second is None:
        return second if first is None else first
    if isinstance(first, dict) and isinstance(second, dict):
        return {name: merged(first.get(name), second.get(name)) for name in first | second}
    if isinstance(first, list) or isinstance(second, list):
        return once([*_listed(first), *_listed(second)])
    if isinstance(first, Cited) and isinstance(second, Cited):
        if _key(first) == _key(second):
            return first
        if isinstance(first.value, str) and isinstance(second.value, str):
            together = f"{first.value}{BETWEEN_PARTS}{second.value}"
            return replace(first, value=together, sources=first.sources + second.sources)
    if isinstance(first, float | int) and isinstance(second, float | int):
        return second  # an estimate, which knows more the later it is made
    return once([first, second])


def once(values: Iterable[Any]) -> list[Any]:
    """Without cited values whose words an earlier one has."""
    first: dict[Any, Any] = {}
    for index, value in enumerate(values):
        first.setdefault(_key(value) if isinstance(value, Cited) else index, value)
    return list(first.values())


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _key(cited: Cited) -> Any:
    return (type(cited.value), *(compared_words(cited.value) if isinstance(cited.value, str) else [cited.value]))


def plain(kept: Any, path: Path = ()) -> tuple[Any, list[CitedValue]]:
    """The values alone, and where each of them comes from."""
    if isinstance(kept, Cited):
        return kept.value, [CitedValue(path=path, sources=kept.sources)]
    cited: list[CitedValue] = []
    output: Any = kept
    if isinstance(kept, dict):
        output = {}
        for name, value in kept.items():
            output[name], its = plain(value, (*path, name))
            cited += its
    elif isinstance(kept, list):
        output = []
        for index, value in enumerate(kept):
            one, its = plain(value, (*path, index))
            output.append(one)
            cited += its
    return output, cited

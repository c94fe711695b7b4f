"""Which of several media types a client prefers: its Accept header (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_RANGE = re.compile(r"([\w!#$&^.+*-]+)/([\w!#$&^.+*-]+)", re.ASCII)
_WEIGHT = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _MediaRange:
    """`place`: its position in the header."""

    kind: str
    subtype: str
    weight: float
    place: int

    @property
    def specificity(self) -> int:
        return (self.kind != "*") + (self.subtype != "*")

    def covers(self, media_type: str) -> bool:
        kind, _, subtype = media_type.partition("/")
        return self.kind in ("*", kind) and self.subtype in ("*", subtype)


def preferred(headers: Iterable[str], offered: Sequence[str]) -> str | None:
    """The offered type that these Accept headers prefer; None if they accept none of them.

    A type's weight is that of the most specific range that covers it. The first offered type is the default. To beat
    it, another type has to be named, at least by its kind, and to weigh more: HTTP libraries name types that they can
    read besides JSON without preferring them. Among others of equal weight, the more specifically named one is
    preferred, then the one named first, then the one offered first.
    Without a header, the first offered type is chosen. Elements that are not media ranges are ignored, and so are
    parameters other than `q`.
    """
    ranges = list(_ranges(",".join(headers)))
    if not ranges:
        return offered[0]
    accepted = [(one, media_type) for media_type in offered if (one := _range_of(media_type, ranges)) and one.weight]
    named = [it for it in accepted if it[0].specificity or it[1] == offered[0]]
    best = max(named, key=lambda it: (it[0].weight, it[1] == offered[0], it[0].specificity, -it[0].place), default=None)
    return best[1] if best else None


def _ranges(header: str) -> Iterator[_MediaRange]:
    for place, element in enumerate(_QUOTED.sub("", header).split(",")):
        media_range, *parameters = (part.strip() for part in element.split(";"))
        named = _RANGE.fullmatch(media_range)
        weights = [parameter for parameter in parameters if parameter.partition("=")[0].strip().lower() == "q"]
        weight = _WEIGHT.fullmatch(weights[0]) if weights else None
        if named and (weight or not weights):
            yield _MediaRange(named[1].lower(), named[2].lower(), float(weight[1]) if weight else 1.0, place)


def _range_of(media_type: str, ranges: Iterable[_MediaRange]) -> _MediaRange | None:
    covering = [one for one in ranges if one.covers(media_type)]
    return max(covering, key=lambda one: (one.specificity, -one.place), default=None)

"""Draws the LIFE table as a mermaid state diagram into domain/README.md."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from domain.life import LIFE, To
from domain.recording import Phase

GUIDE = Path(__file__).parents[2] / "domain" / "README.md"
BEGIN = "<!-- drawn from domain/life.py by make schemas -->\n"
END = "<!-- end of the drawing -->\n"


@dataclass(frozen=True, slots=True)
class _Arrow:
    start: Phase
    event: str
    end: Phase


def diagram() -> str:
    """Every event that LIFE declares, as an arrow between phases; refusals and commands that change nothing have none.

    An event that leads to the same phase from every phase gets one arrow from all of them.
    """
    found = (
        _Arrow(phase, outcome.event.__name__, end)
        for phase, rules in LIFE.items()
        for rule in rules.values()
        for outcome in rule.outcomes
        if isinstance(outcome, To)
        for end in outcome.phases
    )
    arrows = list(dict.fromkeys(found))  # several commands may give the same arrow
    alive = {arrow.start for arrow in arrows} - {Phase.UNOPENED}
    return "".join(f"{line}\n" for line in _lines(arrows, alive))


def _lines(arrows: list[_Arrow], alive: set[Phase]) -> Iterator[str]:
    from_everywhere = {
        (arrow.event, arrow.end)
        for arrow in arrows
        if alive <= {other.start for other in arrows if (other.event, other.end) == (arrow.event, arrow.end)}
    }
    yield "```mermaid"
    yield "stateDiagram-v2"
    for arrow in arrows:
        if arrow.start is Phase.UNOPENED:
            yield f"    [*] --> {arrow.end}: {arrow.event}"
    yield "    state recording {"
    for arrow in arrows:
        if arrow.start is not Phase.UNOPENED and (arrow.event, arrow.end) not in from_everywhere:
            yield f"        {arrow.start} --> {arrow.end}: {arrow.event}"
    yield "    }"
    for event, end in sorted(from_everywhere):
        yield f"    recording --> {end}: {event}"
    yield "```"


def redrawn(text: str) -> str:
    """`text` with the current drawing between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{diagram()}{END}{after}"


def redraw() -> None:
    """Write the current drawing into domain/README.md."""
    GUIDE.write_text(redrawn(GUIDE.read_text()))

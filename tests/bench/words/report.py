"""The figures as tables that fit 120 columns."""

from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import spread
from tests.bench.words.clips import Cell
from tests.bench.words.conditions import CLEAN
from tests.bench.words.engines import ENGINES, OURS, PLAIN
from tests.peak_memory import MEBIBYTE

MOST_ERRORS = {"conversations": 0.12, "read": 0.05}
"""The share of words that may be wrong in recordings as they are."""

MOST_CPU = 1.1
"""Our processor time, as a multiple of the plain library's."""

_HARDEST = 12


def print_head() -> None:
    names = "".join(f"{name[:8]:>9}" for name in ENGINES)
    print(f"{'':<25}{'wrong words, %':^{9 * len(ENGINES)}}{'':5}{'CPU s per s of sound':^{9 * len(ENGINES)}} ours :")
    print(f"{'set':<15}{'condition':<10}{names} lost{names}  plain  targets")


def print_cell(cell: Cell) -> None:
    errors = "".join(_figure(cell, name, cell.total(name).rate * 100, ".1f") for name in ENGINES if name in cell.heard)
    cpu = "".join(_figure(cell, name, cell.cpu_seconds(name) / cell.seconds, ".3f") for name in cell.heard)
    print(f"{cell.set_name:<15}{cell.condition:<10}{errors}{_beside_plain(cell, cpu)}", flush=True)


def _figure(cell: Cell, name: str, value: float, form: str) -> str:
    return f"{format(value, form):>9}"


def _beside_plain(cell: Cell, cpu: str) -> str:
    if not {OURS, PLAIN} <= cell.heard.keys():
        return f"{'':5}{cpu}"
    ratio = cell.cpu_seconds(OURS) / cell.cpu_seconds(PLAIN)
    return f"{cell.lost():>5}{cpu}{ratio:>7.2f}  {_targets(cell, ratio)}"


def _targets(cell: Cell, ratio: float) -> str:
    ours, plain = cell.total(OURS), cell.total(PLAIN)
    told = [f"words <= plain: {met(ours.errors <= plain.errors)}", f"CPU: {met(ratio <= MOST_CPU)}"]
    if cell.condition == CLEAN and cell.set_name in MOST_ERRORS:
        most = MOST_ERRORS[cell.set_name]
        told.append(f"<= {most:.0%}: {met(ours.rate <= most)}")
    return ", ".join(told)


def met(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def print_clips(cells: Sequence[Cell]) -> None:
    for name in ENGINES:
        peaks = [cell.peak_bytes(name) for cell in cells if name in cell.heard]
        if peaks:
            print(f"  {name}: at most {max(peaks) / MEBIBYTE:.0f} MiB of memory over all clips")
    ratios = [ratio for cell in cells if {OURS, PLAIN} <= cell.heard.keys() for ratio in cell.ratios()]
    if ratios:
        print(f"  CPU, ours : plain, clip by clip: {spread(ratios)}")


def print_hardest(cells: Sequence[Cell]) -> None:
    """The clips that we got worst of all, by wrong words."""
    found = [
        (own.errors, own.said, cell.condition, clip.name)
        for cell in cells
        if OURS in cell.heard
        for clip, own in zip(cell.clips, cell.scores(OURS), strict=True)
    ]
    print("\nHardest for us (words wrong, of how many)")
    for errors, said, condition, name in sorted(found, reverse=True)[:_HARDEST]:
        if errors:
            print(f"  {errors:>4} of {said:<4} {condition:<10} {name}")


def write_texts(cells: Sequence[Cell], path: Path) -> None:
    """Tab-separated: set, condition, file, engine, wrong words, text; what was said comes first."""
    lines = []
    for cell in cells:
        for index, clip in enumerate(cell.clips):
            said = " ".join(clip.said.split())
            lines.append(f"{cell.set_name}\t{cell.condition}\t{clip.name}\tsaid\t\t{said}")
            for name, heard in cell.heard.items():
                errors = cell.scores(name)[index].errors
                text = heard[index].text
                lines.append(f"{cell.set_name}\t{cell.condition}\t{clip.name}\t{name}\t{errors}\t{text}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

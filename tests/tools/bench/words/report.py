"""The figures as tables that fit 120 columns."""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from tests.tools.bench.figures import spread
from tests.tools.bench.words.clips import Cell
from tests.tools.bench.words.conditions import CLEAN
from tests.tools.bench.words.engines import OURS, PLAIN
from tests.tools.bench.words.invented import Invented
from tests.tools.bench.words.long import QUICK_SECONDS, Long
from tests.tools.bench.words.scoring import Score, score
from tests.tools.bench.words.speakers import LEAST_RIGHT, MOST_SPLIT, Row
from tests.tools.bench.words.speakers_cost import Cost
from tests.tools.peak_memory import MEBIBYTE

MOST_ERRORS = {"conversations": 0.12, "read": 0.05}
"""The share of words that may be wrong in undegraded recordings."""

MOST_CPU = 1.1
"""Our processor time, as a multiple of the plain library's."""

MOST_INVENTED = 1.0
"""Words per minute of sound in which nobody speaks."""

_HARDEST = 12


def print_head(engines: Collection[str]) -> None:
    names = _columns({name: name for name in engines}, engines)
    print(f"\n{'':<24}{'wrong words in %':>{len(names)}}{'':5}{'CPU s per s of sound':>{len(names)}}  ours :  targets")
    print(f"{'set':<14}{'condition':<10}{names} lost{names}  plain  words  CPU    set's")


def print_cell(cell: Cell, engines: Collection[str]) -> None:
    wrong = _columns({name: f"{cell.total(name).rate * 100:.1f}" for name in cell.heard}, engines)
    cpu = _columns({name: f"{cell.cpu_seconds(name) / cell.seconds:.3f}" for name in cell.heard}, engines)
    lost = ratio = targets = ""
    if _is_compared(cell):
        factor = cell.cpu_seconds(OURS) / cell.cpu_seconds(PLAIN)
        lost, ratio, targets = str(cell.lost()), f"{factor:.2f}", _targets(cell, factor)
    print(f"{cell.set_name:<14}{cell.condition:<10}{wrong}{lost:>5}{cpu}{ratio:>7}  {targets}".rstrip(), flush=True)


def _targets(cell: Cell, factor: float) -> str:
    """Words no worse than plain's, processor time, and the target for the set as it was recorded."""
    ours, plain = cell.total(OURS), cell.total(PLAIN)
    told = f"{_met(ours.errors <= plain.errors):<7}{_met(factor <= MOST_CPU):<7}"
    if cell.condition == CLEAN and cell.set_name in MOST_ERRORS:
        told += _met(ours.rate <= MOST_ERRORS[cell.set_name])
    return told


def print_clips(cells: Sequence[Cell]) -> None:
    """All sets together; each condition counts by its words and its processor time."""
    compared = [cell for cell in cells if _is_compared(cell)]
    print("\nAll clips")
    if compared:
        ours, plain = (sum((cell.total(name) for cell in compared), start=Score()) for name in (OURS, PLAIN))
        print(f"  wrong words: {OURS} {ours.errors}, {PLAIN} {plain.errors} of {plain.said}; ", end="")
        print(f"lost: {sum(cell.lost() for cell in compared)}   ({_met(ours.errors <= plain.errors)}: at most plain's)")
        factor = sum(cell.cpu_seconds(OURS) for cell in compared) / sum(cell.cpu_seconds(PLAIN) for cell in compared)
        print(f"  CPU, ours : plain: {factor:.2f} in all   ({_met(factor <= MOST_CPU)}: <= {MOST_CPU})")
        print(f"    line by line  {spread([cell.cpu_seconds(OURS) / cell.cpu_seconds(PLAIN) for cell in compared])}")
        print(f"    clip by clip  {spread([ratio for cell in compared for ratio in cell.ratios()])}")
    peaks = {name: max(cell.peak_bytes(name) for cell in cells if name in cell.heard) for name in _names(cells)}
    print("  peak memory: " + ", ".join(f"{name} {_mebibytes(peak)}" for name, peak in peaks.items()))


def print_hardest(cells: Sequence[Cell]) -> None:
    """The clips with the most wrong words."""
    found = [
        (own.errors, own.said, f"{cell.condition:<10}{clip.name}")
        for cell in cells
        if OURS in cell.heard
        for clip, own in zip(cell.clips, cell.scores(OURS), strict=True)
        if own.errors
    ]
    print(f"\nHardest for {OURS}: wrong words")
    for errors, said, where in sorted(found, reverse=True)[:_HARDEST]:
        print(f"  {errors:>4} of {said:<5}{where}")


def print_invented(sounds: Sequence[Invented], engines: Collection[str]) -> None:
    minutes = sum(sound.minutes for sound in sounds)
    print(f"\nWords invented in {minutes:.0f} minutes without speech")
    for sound in sounds:
        if any(sound.words(name) for name in engines):
            told = ", ".join(f"{name} {sound.words(name) / sound.minutes:.1f}" for name in engines)
            print(f"  {sound.kind:<16}a minute: {told}")
    for name in engines:
        rate = sum(sound.words(name) for sound in sounds) / minutes
        cpu = sum(sound.heard[name].cpu_seconds for sound in sounds) / minutes
        target = f"   ({_met(rate <= MOST_INVENTED)}: <= 1)" if name == OURS else ""
        print(f"  {name:<13}{rate:.2f} a minute in all, {cpu:.2f} CPU s for a minute{target}")


def print_speakers(rows: Iterable[Row]) -> None:
    """The share of words with the right speaker: each recording of two voices, and all single voices together."""
    print(f"\nWords with the right speaker in %\n{'':<28}{'condition':<12}{'right':>6}")
    single: dict[str, list[Row]] = {}
    for row in rows:
        if row.voices > 1:
            print(
                f"{row.name:<28}{row.condition:<12}{row.right * 100:>6.1f}  {_met(row.right >= LEAST_RIGHT)}",
                flush=True,
            )
        else:
            single.setdefault(row.condition, []).append(row)
    for condition, found in single.items():
        right = sum(row.right * row.words for row in found) / sum(row.words for row in found)
        print(f"{'one voice':<28}{condition:<12}{right * 100:>6.1f}  {_met(right >= 1 - MOST_SPLIT)}", flush=True)


def print_cost_of_speakers(cost: Cost) -> None:
    peaks = f"{_mebibytes(cost.peak_bytes)}, without them {_mebibytes(cost.peak_bytes_without)}"
    print(f"\nThe whole engine with speakers : without: CPU {spread(cost.ratios)}; peak memory {peaks}", flush=True)


def print_long(alone: Mapping[str, Long], ratios: Sequence[float], together: Mapping[str, float]) -> None:
    """`ratios` are of processor time; `together` has the seconds per second of sound with two workers."""
    print("\nOur dialogues with pauses, as one recording")
    print(f"{'':<13}{'minutes':>8}{'wrong %':>9}{'CPU s per s':>13}{'peak memory':>14}", end="")
    print(f"{'real-time factor: 1 worker, 1 core':>36}{'2 workers, 2 cores':>20}")
    for name, one in alone.items():
        wrong = score(one.clip.said, one.heard.text).rate * 100
        both = f"{together[name]:.3f}" if name in together else "one core only"
        print(f"{name:<13}{one.clip.seconds / 60:>8.1f}{wrong:>9.1f}{one.cpu_factor:>13.3f}", end="")
        print(f"{_mebibytes(one.heard.peak_bytes):>14}{one.real_time_factor:>36.3f}{both:>20}")
    if {OURS, PLAIN} <= alone.keys():
        factor = statistics.median(ratios)
        print(f"  CPU, ours : plain: {alone[OURS].cpu_factor / alone[PLAIN].cpu_factor:.2f} for the whole", end="")
        print(
            f"; {QUICK_SECONDS // 60} minutes in turns: {spread(ratios)}   ({_met(factor <= MOST_CPU)}: <= {MOST_CPU})"
        )


def write_texts(cells: Sequence[Cell], path: Path) -> None:
    """Tab-separated: set, condition, file, engine, wrong words, text; what was said comes first."""
    lines = []
    for cell in cells:
        for index, clip in enumerate(cell.clips):
            where = f"{cell.set_name}\t{cell.condition}\t{clip.name}"
            lines.append(f"{where}\tsaid\t\t{' '.join(clip.said.split())}")
            for name, heard in cell.heard.items():
                text = heard[index].text
                lines.append(f"{where}\t{name}\t{score(clip.said, text).errors}\t{text}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _is_compared(cell: Cell) -> bool:
    return {OURS, PLAIN} <= cell.heard.keys()


def _names(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(name for cell in cells for name in cell.heard))


def _columns(figures: Mapping[str, str], engines: Collection[str]) -> str:
    """One column for each engine, as wide as its name."""
    return "".join(f"{figures.get(name, '-'):>{max(8, len(name)) + 1}}" for name in engines)


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:.0f} MiB"

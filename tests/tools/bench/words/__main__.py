"""`make bench-words`: words, processor time and memory of our engine and of plain faster-whisper, in one run.

Only the ratios mean anything on another machine. With ARGS=FOLDER it uses the recordings in a folder that has a
`natural.tsv`: on each line a file's name, a tab, and its words. ARGS=--help lists the options that make it shorter.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from service import sample
from tests.tools.bench.words import pocketsphinx_venv, report, speakers
from tests.tools.bench.words.clips import Place, measured
from tests.tools.bench.words.conditions import CLEAN, CONDITIONS, written
from tests.tools.bench.words.engines import ENGINES, OURS, PLAIN, TODAY
from tests.tools.bench.words.invented import invented
from tests.tools.bench.words.long import (
    HALF_HOUR_SECONDS,
    QUICK_SECONDS,
    TODAY_SECONDS,
    heard_alone,
    long_recording,
    ratios_in_turns,
    real_time_factor_of_two,
)
from tests.tools.bench.words.sets import DIALOGUES, SETS, SPEECH_FOLDER, TEXTS, Clip, all_sets
from tests.tools.bench.words.speakers_cost import cost_of_speakers

NON_SPEECH = "non-speech"
SPEAKERS = "speakers"
_WARM_UP_SAMPLES = 4 * 16_000


@dataclass(frozen=True)
class Plan:
    """What is measured. `conditions_of` has, for every engine that takes part, the conditions that it hears."""

    sets: dict[str, Sequence[Clip]]
    voices: Sequence[Clip]
    conditions: Sequence[str]
    conditions_of: dict[str, Sequence[str]]
    non_speech_engines: Sequence[str]
    speakers: dict[str, Sequence[Clip]]
    long_seconds: int
    texts: Path | None


def main() -> None:
    began = time.monotonic()
    plan = _plan(_options())
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        place = _place(Path(folder))
        if plan.sets:
            _measure_clips(plan, place)
        if plan.speakers:
            short = long_recording(plan.speakers[DIALOGUES], TODAY_SECONDS, place.folder)
            report.print_cost_of_speakers(cost_of_speakers(short, place))
            report.print_speakers(speakers.rows(plan.speakers, place))
        if plan.non_speech_engines:
            _measure_non_speech(plan, place)
        if plan.long_seconds:
            _measure_long(plan, place)
    print(f"\nAll of it took {(time.monotonic() - began) / 60:.0f} minutes.")


def _measure_clips(plan: Plan, place: Place) -> None:
    report.print_head(plan.conditions_of)
    cells = []
    made = measured(plan.sets, plan.conditions_of, conditions=plan.conditions, voices=plan.voices, place=place)
    for cell in made:
        report.print_cell(cell, plan.conditions_of)
        cells.append(cell)
    report.print_clips(cells)
    report.print_hardest(cells)
    if plan.texts:
        report.write_texts(cells, plan.texts)


def _measure_non_speech(plan: Plan, place: Place) -> None:
    report.print_invented(list(invented(plan.non_speech_engines, place)), plan.non_speech_engines)


def _measure_long(plan: Plan, place: Place) -> None:
    """Each engine hears the long recording alone; then short ones, first in turns and then two at a time."""
    cores = sorted(os.sched_getaffinity(0))
    clips = {
        seconds: long_recording(all_sets(None)[DIALOGUES], seconds, place.folder)
        for seconds in {plan.long_seconds, QUICK_SECONDS, TODAY_SECONDS}
    }

    def clip_for(engine: str, seconds: int) -> Clip:
        return clips[TODAY_SECONDS if engine == TODAY else seconds]

    engines = plan.conditions_of.keys()
    alone = {engine: heard_alone(engine, clip_for(engine, plan.long_seconds), place) for engine in engines}
    ratios = ratios_in_turns(clips[QUICK_SECONDS], place) if {OURS, PLAIN} <= engines else []
    together = {
        engine: real_time_factor_of_two(engine, clip_for(engine, QUICK_SECONDS), cores, place)
        for engine in engines
        if len(cores) > 1
    }
    report.print_long(alone, ratios, together)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-words ARGS=...", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help=f"recordings, and {TEXTS} with their words")
    _list_option(parser, "--sets", (*SETS, SPEAKERS, NON_SPEECH))
    _list_option(parser, "--conditions", CONDITIONS)
    _list_option(parser, "--engines", tuple(ENGINES))
    parser.add_argument("--quick", action="store_true", help="5 minutes instead of half an hour")
    parser.add_argument("--no-half-hour", action="store_true", help="only the sets; so it is without a set of words")
    parser.add_argument("--texts", type=Path, metavar="FILE", help="write what was said and heard to this file")
    return parser.parse_args()


def _list_option(parser: argparse.ArgumentParser, name: str, known: Sequence[str]) -> None:
    parser.add_argument(name, type=_some_of(known), help=f"some of {','.join(known)}")


def _some_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def listed(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))} is not one of {', '.join(known)}")
        return names

    return listed


def _plan(options: argparse.Namespace) -> Plan:
    """Pocketsphinx, which is slow, only hears the recordings as they are, unless it is asked for by name.

    Speakers are found by our engine alone, so whoever wants only these does not wait for the others.
    """
    conditions = options.conditions or CONDITIONS
    wanted = options.sets or (*SETS, SPEAKERS, NON_SPEECH)
    compared = options.engines or ENGINES if set(wanted) != {SPEAKERS} else ()
    engines = [name for name in compared if name != TODAY or _has_pocketsphinx()]
    has_long = not options.no_half_hour and bool(set(wanted) & set(SETS))
    is_slow = {name: name == TODAY and not options.engines for name in engines}
    sets = _sets(options.folder)
    return Plan(
        sets={name: clips for name, clips in sets.items() if name in wanted},
        voices=[clip for clips in sets.values() for clip in clips],
        conditions=conditions,
        conditions_of={name: [CLEAN] if is_slow[name] else conditions for name in engines},
        non_speech_engines=[name for name in engines if not is_slow[name]] if NON_SPEECH in wanted else [],
        speakers=sets if SPEAKERS in wanted else {},
        long_seconds=0 if not has_long else QUICK_SECONDS if options.quick else HALF_HOUR_SECONDS,
        texts=options.texts,
    )


def _has_pocketsphinx() -> bool:
    if pocketsphinx_venv.is_ready():
        return True
    print("Without pocketsphinx: its environment could not be made; what pip said is above.")
    return False


def _sets(folder: Path | None) -> dict[str, Sequence[Clip]]:
    if folder is not None and not (folder / TEXTS).is_file():
        sys.exit(f"{folder} has no {TEXTS}.")
    folder = folder or SPEECH_FOLDER
    if not folder.is_dir():
        print("There is no ../shared/data/speech beside this checkout: no human speech is measured.")
    return all_sets(folder if folder.is_dir() else None)


def _place(folder: Path) -> Place:
    spoken = Clip(Path(sample.__file__).parent / "consultation.opus", "")
    warm_up = written(spoken.samples[:_WARM_UP_SAMPLES], folder / "warm-up.wav")
    return Place(folder=folder, core=min(os.sched_getaffinity(0)), warm_up=warm_up)


if __name__ == "__main__":
    main()

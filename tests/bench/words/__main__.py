"""`make bench-words`: words, processor time and memory of our engine beside plain faster-whisper, in one run.

Only ratios mean something on another machine. With ARGS=FOLDER it hears the recordings of a folder that has a
`natural.tsv`; --help names the options that make it shorter.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from service import sample
from tests.bench.words import report
from tests.bench.words.clips import Place, measured
from tests.bench.words.conditions import CONDITIONS, written
from tests.bench.words.engines import ENGINES
from tests.bench.words.sets import SETS, SPEECH_FOLDER, TEXTS, Clip, all_sets

WARM_UP_SAMPLES = 4 * 16_000


def main() -> None:
    options = _options()
    sets = _sets(options)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        place = _place(Path(folder))
        cells = []
        report.print_head()
        for cell in measured(sets, options.conditions, dict.fromkeys(options.engines, options.conditions), place):
            report.print_cell(cell)
            cells.append(cell)
        report.print_clips(cells)
        report.print_hardest(cells)
        if options.texts:
            report.write_texts(cells, options.texts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-words ARGS=...", description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help=f"recordings, and {TEXTS} with their words")
    _list_option(parser, "--sets", SETS)
    _list_option(parser, "--conditions", CONDITIONS)
    _list_option(parser, "--engines", tuple(ENGINES))
    parser.add_argument("--texts", type=Path, metavar="FILE", help="write what was said and heard here")
    return parser.parse_args()


def _list_option(parser: argparse.ArgumentParser, name: str, known: Sequence[str]) -> None:
    parser.add_argument(name, type=_some_of(known), default=list(known), help=f"some of {','.join(known)}")


def _some_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def listed(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))} is none of {', '.join(known)}")
        return names

    return listed


def _sets(options: argparse.Namespace) -> dict[str, Sequence[Clip]]:
    folder = options.folder or SPEECH_FOLDER
    if options.folder and not (folder / TEXTS).is_file():
        sys.exit(f"{folder} has no {TEXTS}.")
    if not folder.is_dir():
        print("There is no ../shared/data/speech beside this checkout: only our own dialogues are heard.")
    found = all_sets(folder if folder.is_dir() else None)
    return {name: clips for name, clips in found.items() if name in options.sets}


def _place(folder: Path) -> Place:
    spoken = Clip(Path(sample.__file__).parent / "consultation.opus", "")
    warm_up = written(spoken.samples[:WARM_UP_SAMPLES], folder / "warm-up.wav")
    return Place(folder=folder, core=min(os.sched_getaffinity(0)), warm_up=warm_up)


if __name__ == "__main__":
    main()

"""`make bench-notes`: the quoting writer's notes beside those of clinicians, and beside what needs no writer.

ARGS=FILE measures examples of one's own: a CSV file with the columns dialogue (each turn a line that begins with
"[doctor]" or "[patient]") and note.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import mean

from adapters.notes.extractive import extract
from adapters.notes.note import Note, Section
from adapters.notes.quotable import Quotable, quotable
from adapters.speech.transcript import Transcript
from tests.tools.note_model.corpus import (
    NOTES_FOLDER,
    Example,
    as_engines_hear_it,
    as_written,
    examples,
    without_speakers,
    words_alone,
)
from tests.tools.note_model.oracle import belonging, best_choice
from tests.tools.note_model.rouge import rouge_l, rouge_n, tokens

RENDERINGS: dict[str, Callable[[Example], Transcript]] = {
    "with speakers": as_written,
    "without speakers": without_speakers,
    "sentence by sentence": as_engines_hear_it,
    "words alone": words_alone,
}
DOCTORS_TURNS = 12
LONG_SECONDS = 30 * 60
WORDS_PER_SECOND = 2.5

Placed = set[tuple[Section, int]]
"""Sentences by their first word, with the section that each is in."""


@dataclass(frozen=True)
class Measured:
    """`note` is text; `ours` and `best`: where our writer and the choice that knows the reference put what sentence."""

    example: Example
    note: Note
    text: str
    best_text: str
    ours: Placed
    best: Placed


def main() -> None:
    options = argparse.ArgumentParser(prog="make bench-notes", description=__doc__)
    options.add_argument("file", nargs="?", type=Path, default=NOTES_FOLDER / "valid.csv")
    path = options.parse_args().file
    if not path.is_file():
        sys.exit(f"There is no {path}. ARGS=FILE names another file; ARGS=--help says what is in it.")
    known = examples(path)
    measured = {name: [_measured(example, render) for example in known] for name, render in RENDERINGS.items()}
    _print_rouge(known, measured)
    for name, cells in measured.items():
        _print_sections(name, cells)
    _print_time(known)


def _measured(example: Example, render: Callable[[Example], Transcript]) -> Measured:
    transcript = render(example)
    said = quotable(transcript)
    best = [said[index] for index in best_choice(said, example.note)]
    note = extract(transcript)
    return Measured(
        example,
        note,
        _text(note),
        " ".join(sentence.text for sentence in best),
        {
            (section, sentence.source.from_word)
            for section, sentences in note.sections.items()
            for sentence in sentences
            if sentence.source
        },
        {
            (section, sentence.source.from_word)
            for sentence in best
            if (section := _section(sentence, example)) is not None
        },
    )


def _text(note: Note) -> str:
    return " ".join(sentence.text for section in Section for sentence in note.sections[section])


def _section(sentence: Quotable, example: Example) -> Section | None:
    fits = belonging(sentence, example.lines)
    return max(fits, key=lambda heading: fits[heading]).section if fits else None


def _print_rouge(known: Sequence[Example], measured: dict[str, list[Measured]]) -> None:
    print(f"{len(known)} consultations; ROUGE F in percent, and the note's words per word of the reference\n")
    print(f"{'':46} ROUGE-1  ROUGE-2  ROUGE-L  length")
    _print_row("whole transcript", known, [without_speakers(example).text for example in known])
    doctors = [[turn.text for turn in example.turns if turn.tag == "doctor"] for example in known]
    _print_row("first twelve doctor's turns", known, [" ".join(turns[:DOCTORS_TURNS]) for turns in doctors])
    for name, cells in measured.items():
        _print_row(f"our note, {name}", known, [cell.text for cell in cells])
        _print_row(f"best choice of sentences, {name}", known, [cell.best_text for cell in cells])


def _print_row(name: str, known: Sequence[Example], notes: Sequence[str]) -> None:
    pairs = list(zip(notes, (example.note for example in known), strict=True))
    scores = [
        100 * mean(rouge_n(note, reference, 1).f for note, reference in pairs),
        100 * mean(rouge_n(note, reference, 2).f for note, reference in pairs),
        100 * mean(rouge_l(note, reference).f for note, reference in pairs),
    ]
    length = mean(len(tokens(note)) / len(tokens(reference)) for note, reference in pairs)
    print(f"{name:46} {scores[0]:7.1f}  {scores[1]:7.1f}  {scores[2]:7.1f}  {length:6.2f}")


def _print_sections(name: str, cells: Sequence[Measured]) -> None:
    """Precision and recall by the choice that knows the reference, and how many sections should not be empty."""
    print(f"\n{name + ':':24} precision  recall  empty though the reference has one")
    for section in Section:
        ours = [{place for place in cell.ours if place[0] is section} for cell in cells]
        best = [{place for place in cell.best if place[0] is section} for cell in cells]
        both = sum(len(one & other) for one, other in zip(ours, best, strict=True))
        wanted = [cell for cell in cells if section in _sections(cell.example)]
        empty = sum(not cell.note.sections[section] for cell in wanted)
        print(
            f"{section.value:24} {_percent(both, sum(map(len, ours))):>9}  {_percent(both, sum(map(len, best))):>6}  "
            f"{empty} of {len(wanted)}"
        )


def _sections(example: Example) -> set[Section]:
    return {line.heading.section for line in example.lines if line.heading is not None}


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _print_time(known: Sequence[Example]) -> None:
    transcript = _long(known)
    extract(transcript)  # reads the weights
    began = time.process_time()
    note = extract(transcript)
    took = time.process_time() - began
    said, written = transcript.word_count, len(_text(note).split())
    print(f"\na consultation of {LONG_SECONDS // 60} minutes ({said} words): {took:.2f} s on one core, {written} words")


def _long(known: Sequence[Example]) -> Transcript:
    """As many turns, of one consultation after the other, as are said in that time."""
    turns, words = [], 0
    for turn in cycle([turn for example in known for turn in example.turns]):
        turns.append(turn)
        words += len(turn.text.split())
        if words >= LONG_SECONDS * WORDS_PER_SECOND:
            return as_written(Example(tuple(turns), ""))
    raise ValueError("there are no turns")


if __name__ == "__main__":
    main()

"""`make bench-notes` over consultations of one's own: what it says of a single one means nothing."""

import csv
import re

from tests.guides.shell import make
from tests.of_tools.note_model.test_training import consultation
from tests.places import REPOSITORY

ROWS = ("whole transcript", "first twelve doctor's turns", "our note, with speakers", "our note, without speakers")


def test_make_bench_notes_measures_consultations_of_ones_own(tmp_path):
    example = consultation()
    path = tmp_path / "own.csv"
    with path.open("w", newline="") as file:
        rows = csv.DictWriter(file, ["dialogue", "note"])
        rows.writeheader()
        said = "\n".join(f"[{turn.tag}] {turn.text}" for turn in example.turns)
        rows.writerow({"dialogue": said, "note": example.note})
    measured = make(REPOSITORY, "bench-notes", f"ARGS={path}")
    assert measured.returncode == 0, measured.stderr
    for name in (
        "whole transcript",
        "first twelve doctor's turns",
        "our note, with speakers",
        "our note, without speakers",
    ):
        assert re.search(rf"^{name} +\d+\.\d +\d+\.\d +\d+\.\d +\d+\.\d\d$", measured.stdout, re.MULTILINE)
    assert re.search(r"^objective .* of 1$", measured.stdout, re.MULTILINE)
    assert re.search(r"^a consultation of 30 minutes .* s on one core", measured.stdout, re.MULTILINE)


def test_make_bench_notes_says_which_file_is_missing(tmp_path):
    measured = make(REPOSITORY, "bench-notes", f"ARGS={tmp_path / 'none.csv'}")
    assert measured.returncode != 0
    assert f"There is no {tmp_path / 'none.csv'}." in measured.stderr

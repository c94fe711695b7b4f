"""Prometheus' own parser of PromQL, built once with Go and kept in `.promql/`."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.left_out import needed
from tests.places import REPOSITORY
from tests.tools import golang
from tests.tools.kept import kept

_MODULE = Path(__file__).parent
FOLDER = REPOSITORY / ".promql"


@dataclass(frozen=True)
class Series:
    """A series that an expression names. `matchers`: label, one of = != =~ !~, and the value."""

    name: str
    matchers: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Reading:
    """`labels`: those by which results are grouped or joined."""

    expression: str
    series: list[Series]
    labels: list[str]


def read(rules: Path, expressions: Sequence[str]) -> list[Reading]:
    """The rules' expressions, then the others. Fails the test if Prometheus would refuse the rules or an expression."""
    asked = json.dumps({"rules": str(rules), "expressions": expressions})
    ran = subprocess.run([_program()], input=asked, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return [
        Reading(
            one["expression"],
            [Series(each["name"], [tuple(matcher) for matcher in each["matchers"]]) for each in one["series"]],
            one["labels"],
        )
        for one in json.loads(ran.stdout)
    ]


def _program() -> Path:
    """Skips the test where Go is missing; in CI that fails it."""
    return built(needed("go", "reads rules and boards with Prometheus' own parser, which it builds"))


def built(go: str) -> Path:
    """The program, built with `go` if it is not there yet. Raises: golang.NotBuilt."""
    return kept(FOLDER, golang.sources_of(_MODULE), lambda unfinished: golang.build(go, _MODULE, unfinished))

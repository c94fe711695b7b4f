"""The project's guides, taken apart: their sections, fenced blocks, links, and the commands that they name."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.places import REPOSITORY

ROOMS = (".github", "adapters", "domain", "schemas", "service", "tests")


@dataclass(frozen=True)
class Block:
    """A fenced block. `number` counts those of one language below one heading, from 1."""

    guide: str
    heading: str
    language: str
    number: int
    text: str

    @property
    def name(self) -> tuple[str, str, str, int]:
        return self.guide, self.heading, self.language, self.number


@cache
def guides() -> dict[str, str]:
    """Path within the repository -> text, of every Markdown file that is committed."""
    paths = [*REPOSITORY.glob("*.md"), *(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.md"))]
    return {path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}


def section(guide: str, heading: str) -> str:
    """What is below a heading, up to the next one of the same level or higher."""
    found, level = [], 0
    for line, is_text in _lines(guides()[guide]):
        marks = len(line) - len(line.lstrip("#")) if is_text else 0
        if level and 0 < marks <= level:
            break
        if level:
            found.append(line)
        elif marks and line.lstrip("#").strip() == heading:
            level = marks
    assert level, f"{guide} has no heading {heading!r}"
    return "\n".join(found)


def block(guide: str, heading: str, language: str, number: int = 1) -> str:
    """The text of a fenced block. A test that calls this with plain values is what executes the block."""
    (found,) = [each.text for each in blocks() if each.name == (guide, heading, language, number)]
    return found


@cache
def blocks() -> tuple[Block, ...]:
    return tuple(found for guide, text in guides().items() for found in _blocks(guide, text))


def prose(guide: str) -> str:
    """The guide without its fenced blocks."""
    return "\n".join(line for line, is_text in _lines(guides()[guide]) if is_text)


def spans(guide: str) -> list[str]:
    """What is set as code within sentences."""
    return re.findall(r"`([^`\n]+)`", prose(guide))


def commands(program: str) -> dict[str, set[str]]:
    """Each command line that begins with `program`, in a sentence or in a block of shell -> the guides that name it."""
    found: dict[str, set[str]] = {}
    for guide in guides():
        shell = [each.text for each in blocks() if each.guide == guide and each.language == "sh"]
        for text in [*spans(guide), *(line for script in shell for line in script.splitlines())]:
            for line in re.findall(rf"(?:^|[\s(/]){program} ([^#)\n]+)", text):
                found.setdefault(line.strip(), set()).add(guide)
    return found


def taken_blocks() -> dict[tuple[str, str, str, int], str]:
    """The name of each block that a test takes by `block(...)` -> the test."""
    taken = {}
    for path in (REPOSITORY / "tests").rglob("test_*.py"):
        source = path.read_text(encoding="utf-8")
        if "block(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for name in _taken_in(node):
                    taken[name] = f"{path.relative_to(REPOSITORY).as_posix()}::{node.name}"
    return taken


def _taken_in(test: ast.AST) -> Iterator[tuple[str, str, str, int]]:
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "block":
            given = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            number = [each.value.value for each in node.keywords if isinstance(each.value, ast.Constant)]
            guide, heading, language = given
            yield guide, heading, language, number[0] if number else 1


def has_test(name: str) -> bool:
    """Whether there is such a test: a file within the repository, `::`, and a function."""
    path, _, function = name.partition("::")
    file = REPOSITORY / path
    return file.is_file() and f"def {function}(" in file.read_text(encoding="utf-8")


def _blocks(guide: str, text: str) -> Iterator[Block]:
    heading, language, kept = "", None, []
    numbers: dict[tuple[str, str], int] = {}
    for line in text.splitlines():
        if language is None and line.startswith("```"):
            language, kept = line.removeprefix("```").strip(), []
        elif language is not None and line == "```":
            numbers[heading, language] = number = numbers.get((heading, language), 0) + 1
            yield Block(guide, heading, language, number, "".join(f"{each}\n" for each in kept))
            language = None
        elif language is not None:
            kept.append(line)
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    assert language is None, f"{guide}: the block below {heading!r} does not end"


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is outside of fenced blocks."""
    is_text = True
    for line in text.splitlines():
        if line.startswith("```"):
            is_text = not is_text
            yield line, False
        else:
            yield line, is_text


def headings(guide: str) -> list[str]:
    return [line.lstrip("#").strip() for line, is_text in _lines(guides()[guide]) if is_text and line.startswith("#")]


def anchors(guide: str) -> set[str]:
    """What a link's fragment may be, as GitHub makes it of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(guide)}


def links(guide: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(guide))


def resolved(guide: str, target: str) -> Path:
    """Where a relative link leads."""
    return (REPOSITORY / guide).parent.joinpath(target).resolve()

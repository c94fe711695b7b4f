"""What guides say of the project is so: links lead somewhere, files exist, and the README is short."""

import re
import subprocess
from pathlib import Path

import pytest

from service.runtime.settings import Settings
from tests.guides.guides import anchors, blocks, guides, headings, links, resolved, section, spans
from tests.places import REPOSITORY

MOST_LINES = 150
DIALECTS = sorted(path.parent.name for path in (REPOSITORY / "service/dialects").glob("*/reference.py"))
EVERY_GUIDE = pytest.mark.parametrize("guide", guides())


def test_the_readme_is_short():
    assert len(guides()["README.md"].splitlines()) <= MOST_LINES


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="not a checkout: nothing says what is committed")
def test_every_committed_guide_is_looked_at():
    # Whoever owns the checkout: git otherwise refuses one of another user's.
    command = ["git", "-c", "safe.directory=*", "ls-files", "*.md"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    committed = set(listed.stdout.splitlines())
    assert "README.md" in committed
    assert committed <= guides().keys()


@EVERY_GUIDE
def test_every_link_is_relative_and_leads_somewhere(guide):
    for link in links(guide):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = resolved(guide, path) if path else REPOSITORY / guide
        assert not Path(path).is_absolute()
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.relative_to(REPOSITORY).as_posix()), link


@EVERY_GUIDE
def test_every_file_that_is_named_exists(guide):
    rooms = r"(?:\.github|adapters|domain|schemas|service|tests)"
    for span in spans(guide):
        if re.fullmatch(rf"{rooms}/[\w./-]*", span) and "NAME" not in span:
            assert (REPOSITORY / span).exists(), span


@EVERY_GUIDE
def test_every_setting_that_is_named_is_one(guide):
    settings = {f"TAPEDECK_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"`(TAPEDECK_[A-Z_]+[A-Z])(?:=[^`]*)?`", guides()[guide]))
    assert named <= settings


@EVERY_GUIDE
def test_no_guide_knows_where_it_was_written(guide):
    text = re.sub(r"(?:sqlite|segments|file):///", "", guides()[guide])
    assert re.findall(r"(?<![\w.:/…})])/(?:work|home|root|tmp|usr|Users)/", text) == []


@EVERY_GUIDE
def test_the_usual_word_is_used(guide):
    """Phrases that were found hard to read, and that a native speaker would not write."""
    unusual = r"for ever\b|\ba line an event|\ba line each\b|whom the service|what it is that|\bwelcome\b"
    assert re.findall(unusual, guides()[guide]) == []


def test_each_dialect_has_its_guide_and_its_reference():
    assert DIALECTS == ["bota", "dorsum", "dragon"]
    for name in DIALECTS:
        guide = f"service/dialects/{name}/README.md"
        assert "REFERENCE.md" in links(guide)
        assert {"What to change in a client", "Limits"} <= set(re.findall(r"^## (.*)$", guides()[guide], re.MULTILINE))
        reference = f"service/dialects/{name}/REFERENCE.md"
        assert "../README.md#where-a-wire-rule-comes-from" in links(reference)
        marks = set(re.findall(r"\(([A-Z])\b", guides()[reference]))
        legend = set(re.findall(r"^\| \((\w)\) \|", guides()["service/dialects/README.md"], re.MULTILINE))
        assert legend == {"S", "P", "D"}
        assert marks & legend == marks & {"S", "P", "D"} != set()


def test_what_docstrings_cite_is_in_the_reference():
    cited = 0
    for path in [*(REPOSITORY / "service").rglob("*.py"), *(REPOSITORY / "adapters").rglob("*.py")]:
        text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
        for vendor, heading in re.findall(r'(?:(\w+)\'s )?REFERENCE\.md, "([^"]+)"', text):
            name = vendor.lower() or path.relative_to(REPOSITORY / "service/dialects").parts[0]
            found = headings(f"service/dialects/{name}/REFERENCE.md")
            assert any(re.fullmatch(rf"{heading}(?: \([SPD]\))?", one) for one in found), (path, heading)
            cited += 1
    assert cited >= 8


def test_the_picture_names_the_rooms_and_the_dialects():
    (picture,) = [each.text for each in blocks() if each.name == ("README.md", "How it works", "mermaid", 1)]
    assert picture.startswith("flowchart ")
    assert re.findall(r"^    subgraph (\w+)$", picture, re.MULTILINE) == ["service", "domain", "adapters"]
    for name in [*DIALECTS, "application", "followers"]:
        assert name in picture
    nodes = set(re.findall(r"(\w+)(?:\[|$)", picture)) | {"application", "followers"}
    for start, end in re.findall(r"(\w+)(?:\[.*?\])? -- .*? --> (\w+)", picture):
        assert {start, end} <= nodes


@EVERY_GUIDE
def test_every_table_has_a_line_below_its_head(guide):
    lines = ["", *guides()[guide].splitlines()]
    heads = [at for at in range(1, len(lines)) if lines[at].startswith("|") and not lines[at - 1].startswith("|")]
    assert all(re.fullmatch(r"\|(?: ?:?-+:? ?\|)+", lines[at + 1]) for at in heads)


def test_every_bound_of_the_threat_model_names_a_test():
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$",
        section(".github/THREAT_MODEL.md", "What is bounded"),
        re.MULTILINE,
    )
    bounds = [row for row in rows if row[0] != "what one caller could use up"]
    assert len(bounds) > 30
    for what, *_, proof in bounds:
        assert re.search(r"`tests/[\w/.]+`", proof), what


def test_every_guarantee_names_a_test_or_a_schema():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section("tests/README.md", "Guarantees"), re.MULTILINE)
    assert len(rows) > 25
    for guarantee, proof in rows[1:]:
        assert re.search(r"`tests/[\w/.]+`", proof), guarantee

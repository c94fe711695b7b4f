"""Stored events of every version ever written, one file a version, each line exactly as it stood in the log.

    python -m tests.domain.corpus

adds a file for an event's new version, of events as `history_kit` draws them. A file that is there is never written
again: what was stored once cannot be changed by changing the code.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from eventsourcing.persistence import StoredEvent

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of the log, and the name and version that its file is called by."""

    name: str
    version: int
    row: StoredEvent


def corpus(folder: Path = FOLDER) -> Iterator[Stored]:
    """Every line of every file."""
    for path in sorted(folder.glob("*.jsonl")):
        name, _, version = path.stem.partition(".v")
        for line in path.read_text().rstrip("\n").split("\n"):  # a text in a row may hold what else separates lines
            row = json.loads(line)
            its_id = UUID(row["originator_id"])
            stored = StoredEvent(its_id, row["originator_version"], row["topic"], row["state"].encode())
            yield Stored(name, int(version), stored)


def line_of(row: StoredEvent) -> str:
    """The row as a line. Its state is kept as the text that it is, so that no bit of it is lost."""
    fields = {
        "originator_id": str(row.originator_id),
        "originator_version": row.originator_version,
        "topic": row.topic,
        "state": row.state.decode(),
    }
    return json.dumps(fields, ensure_ascii=False) + "\n"

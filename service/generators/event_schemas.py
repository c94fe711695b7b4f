"""Writes `schemas/events/NAME.vVERSION.json`, the JSON Schema of each event as it is stored.

A committed schema of a version is a promise to readers of the log: a change that breaks it is not written. It needs a
new `VERSION` of the event and an upcast from the old one; then the old file stays and a new one is added beside it.
"""

import json
from pathlib import Path
from typing import Any

from domain.events import EVENT_TYPES, Event

EVENT_SCHEMAS = Path(__file__).parents[2] / "schemas" / "events"

Schema = dict[str, Any]


class BreakingChange(Exception):
    def __init__(self, name: str, changes: list[str]) -> None:
        super().__init__(
            f"{name} breaks the committed schema: {'; '.join(changes)}. "
            "Raise the event's VERSION, and add an upcast from the old one to domain/upcasts.py."
        )


def event_schema(event_type: type[Event]) -> Schema:
    """The schema of an event's stored fields. The current version is part of the title."""
    schema = event_type.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": schema_name(event_type),
    }


def schema_name(event_type: type[Event]) -> str:
    return f"{event_type.__name__}.v{event_type.VERSION}"


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What may break a reader of `old` in `new`: a field removed, of another kind, or newly required.

    Descriptions and titles may change freely, and a set of words may grow.
    """
    before, after = _fields(old), _fields(new)
    newly_required = set(new.get("required", ())) - set(old.get("required", ()))
    return [
        *(f"field {name} is gone" for name in sorted(before.keys() - after.keys())),
        *(
            f"field {name} is of another kind"
            for name in sorted(before.keys() & after.keys())
            if not _is_within(before[name], after[name])
        ),
        *(f"field {name} is newly required" for name in sorted(newly_required)),
    ]


def _fields(schema: Schema) -> dict[str, Any]:
    return {name: _kind(field, schema) for name, field in schema["properties"].items()}


def _kind(part: Any, schema: Schema) -> Any:
    """A part of the schema without descriptions, and with its references resolved."""
    if isinstance(part, list):
        return [_kind(item, schema) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _kind(schema["$defs"][part["$ref"].rpartition("/")[2]], schema)
    return {key: _kind(value, schema) for key, value in part.items() if key not in ("title", "description")}


def _is_within(old: Any, new: Any) -> bool:
    """Whether everything of the kind `old` is also of the kind `new`: the same, or a set of words that has grown."""
    if isinstance(old, dict) and isinstance(new, dict) and "enum" in old and "enum" in new:
        return set(old["enum"]) <= set(new["enum"]) and old | {"enum": ()} == new | {"enum": ()}
    return bool(old == new)


def write_schemas(folder: Path = EVENT_SCHEMAS) -> None:
    """Write the schema of each event's current version. Raises: BreakingChange; then nothing is written."""
    schemas = {folder / f"{schema_name(event)}.json": event_schema(event) for event in EVENT_TYPES.values()}
    for path, schema in schemas.items():
        changes = breaking_changes(json.loads(path.read_text()), schema) if path.exists() else []
        if changes:
            raise BreakingChange(path.stem, changes)
    folder.mkdir(parents=True, exist_ok=True)
    for path, schema in schemas.items():
        path.write_text(text_of(schema))


def text_of(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

import json
from copy import deepcopy

import pytest
from hypothesis import given as for_all
from jsonschema import Draft202012Validator, ValidationError
from orjson import dumps, loads

from domain.events import EVENT_TYPES, ChunkStored, Failed
from service.generators.event_schemas import (
    EVENT_SCHEMAS,
    BreakingChange,
    breaking_changes,
    event_schema,
    schema_name,
    text_of,
    write_schemas,
)
from tests.domain.histories import chunk
from tests.domain.history_kit import histories, session_histories

EVENTS = pytest.mark.parametrize("event", EVENT_TYPES.values(), ids=EVENT_TYPES)
VALIDATORS = {event: Draft202012Validator(event_schema(event)) for event in EVENT_TYPES.values()}


@EVENTS
def test_the_committed_schema_is_the_one_of_the_code(event):
    assert (EVENT_SCHEMAS / f"{schema_name(event)}.json").read_text() == text_of(event_schema(event)), (
        "run make schemas; if it refuses, the event needs a new VERSION"
    )


@EVENTS
def test_the_schema_is_a_schema(event):
    Draft202012Validator.check_schema(event_schema(event))


@for_all(histories() | session_histories())
def test_every_event_of_every_history_fits_its_schema(history):
    for event in history:
        VALIDATORS[type(event)].validate(loads(dumps(vars(event))))


@pytest.mark.parametrize("change", [{"number": 0}, {"sha256": "A" * 64}, {"blob_key": ""}, {"words": "of a patient"}])
def test_what_no_event_can_be_does_not_fit(change):
    with pytest.raises(ValidationError):
        VALIDATORS[ChunkStored].validate(loads(dumps(vars(chunk(1)))) | change)


def test_a_field_that_is_gone_or_of_another_kind_or_newly_required_breaks_readers():
    old, new = event_schema(Failed), event_schema(Failed)
    del new["properties"]["reason"]
    new["properties"]["attempts"] = {"type": "string"}
    new["$defs"]["Stage"]["enum"] = ["stitch"]
    new["properties"]["engine"] = {"type": "string"}
    new["required"].append("engine")
    assert breaking_changes(old, new) == [
        "field reason is gone",
        "field attempts is of another kind",
        "field stage is of another kind",
        "field engine is newly required",
    ]


def test_prose_and_what_readers_may_ignore_break_nobody():
    old, new = event_schema(Failed), event_schema(Failed)
    new["description"] = new["properties"]["reason"]["description"] = "In other words."
    new["$defs"]["Stage"]["title"] = "Step"
    new["properties"]["engine"] = {"type": "string"}
    assert breaking_changes(old, new) == []


def test_a_further_word_breaks_nobody_and_a_word_that_is_gone_does():
    old, more = event_schema(Failed), event_schema(Failed)
    more["$defs"]["Stage"]["enum"] = [*old["$defs"]["Stage"]["enum"], "code"]
    assert breaking_changes(old, more) == []
    assert breaking_changes(more, old) == ["field stage is of another kind"]


def test_a_change_that_breaks_readers_is_not_written_and_nothing_else_with_it(tmp_path):
    write_schemas(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    committed = deepcopy(event_schema(ChunkStored))
    committed["properties"]["uploaded_by"] = {"type": "string"}
    (tmp_path / f"ChunkStored.v{ChunkStored.VERSION}.json").write_text(json.dumps(committed))
    (tmp_path / "Failed.v1.json").unlink()
    with pytest.raises(
        BreakingChange, match=rf"ChunkStored.v{ChunkStored.VERSION} .* uploaded_by is gone.*Raise the event's VERSION"
    ):
        write_schemas(tmp_path)
    assert not (tmp_path / "Failed.v1.json").exists()
    (tmp_path / f"ChunkStored.v{ChunkStored.VERSION}.json").unlink()
    write_schemas(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before

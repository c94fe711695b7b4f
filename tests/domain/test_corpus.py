"""What was stored once stays readable: the corpus holds rows of every version that was ever written."""

import json

import orjson
import pytest
from jsonschema import Draft202012Validator

from adapters.audio.pcm import PCM_CODEC
from adapters.event_log.mapper import EventMapper, VersionedEvent
from domain.events import EVENT_TYPES, RecordingKind
from domain.upcasts import UPCASTS, upcast
from service.generators.event_schemas import EVENT_SCHEMAS
from tests.domain.corpus import FOLDER, corpus

ROWS = list(corpus())
VERSIONS = [(name, version) for name, event in EVENT_TYPES.items() for version in range(1, event.VERSION + 1)]
HINT = "an event that changes needs a new VERSION and an upcast; then: make schemas, python -m tests.domain.corpus"


def named(version):
    return f"{version[0]}.v{version[1]}"


@pytest.mark.parametrize("version", VERSIONS, ids=named)
def test_every_version_of_every_event_is_in_the_corpus_and_has_its_schema(version):
    assert any((stored.name, stored.version) == version for stored in ROWS), HINT
    assert (EVENT_SCHEMAS / f"{named(version)}.json").exists(), HINT


def test_no_event_or_version_that_was_ever_stored_is_forgotten():
    known = {named(version) for version in VERSIONS}
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == known, HINT
    assert {path.stem for path in EVENT_SCHEMAS.glob("*.json")} == known, HINT


def test_every_older_version_can_be_lifted():
    assert UPCASTS.keys() == {(name, version) for name, version in VERSIONS if version < EVENT_TYPES[name].VERSION}


@pytest.mark.parametrize("stored", ROWS, ids=lambda stored: stored.name)
def test_what_was_stored_once_is_read_today(stored):
    read = EventMapper().to_recorded_event(stored.row, position=1)
    assert type(read.event) is EVENT_TYPES[stored.name]
    envelope = orjson.loads(stored.row.state)
    assert (envelope["version"], read.trace_id) == (stored.version, envelope.get("metadata", {}).get("trace_id"))
    if stored.version == EVENT_TYPES[stored.name].VERSION:
        again = EventMapper().to_stored_event(VersionedEvent(read.stream_id, read.version, read.event, read.trace_id))
        assert again == stored.row, HINT


@pytest.mark.parametrize("version", VERSIONS, ids=named)
def test_what_was_stored_once_fits_the_schema_of_its_version(version):
    validator = Draft202012Validator(json.loads((EVENT_SCHEMAS / f"{named(version)}.json").read_text()))
    events = [orjson.loads(stored.row.state)["event"] for stored in ROWS if (stored.name, stored.version) == version]
    if version == ("RecordingOpened", 1):  # some rows have a field that came before it had raised the version
        events = [event for event in events if "note_wanted" not in event]
    assert events
    for event in events:
        validator.validate(event)


def test_a_recording_opened_before_there_were_notes_wants_none_and_a_row_that_says_so_is_believed():
    for stored in ROWS:
        if (stored.name, stored.version) == ("RecordingOpened", 1):
            read = EventMapper().to_recorded_event(stored.row, position=1).event
            assert read.note_wanted is orjson.loads(stored.row.state)["event"].get("note_wanted", False)


@pytest.mark.parametrize(
    ("dialect", "codec", "kind"),
    [
        ("bota", "opus", "streamed"),
        ("bota", None, "whole_file"),
        ("dragon", None, "streamed"),
        ("dorsum", "pcm_s16le", "samples"),
    ],
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_recording_opened_before_it_said_its_kind_is_of_the_one_that_its_dialect_and_codec_meant(
    version, dialect, codec, kind
):
    lifted = upcast("RecordingOpened", {"dialect": dialect, "codec": codec}, version=version, to_version=4)
    assert lifted["kind"] == kind


def test_the_codec_that_meant_bare_samples_is_the_one_that_is_still_stored_for_them():
    fields = {"dialect": "dorsum", "codec": PCM_CODEC}
    assert upcast("RecordingOpened", fields, version=3, to_version=4)["kind"] == RecordingKind.SAMPLES

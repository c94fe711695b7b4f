from dataclasses import astuple
from datetime import timedelta, timezone
from uuid import uuid4

import orjson
import pytest
from eventsourcing.persistence import StoredEvent
from pydantic import ValidationError

from adapters.event_log.mapper import EventMapper, VersionedEvent
from domain.events import EVENT_TYPES, ChunkStored, ErasedPart, Stage
from domain.upcasts import UPCASTS, UnknownEventVersion
from tests.domain.histories import (
    at,
    chunk,
    chunk_transcribed,
    content_erased,
    deleted,
    failed,
    finalized,
    note_edited,
    note_order_begun,
    note_order_failed,
    note_order_fulfilled,
    note_ordered,
    note_written,
    opened,
    part_heard,
    retry_requested,
    session_ended,
    session_opened,
    session_updated,
    stitched,
    transcribed,
    transcription_requested,
)

ONE_OF_EACH = [opened(started_at=at(0)), chunk(1), finalized(2, md5="e" * 32), stitched(), transcribed()]
ONE_OF_EACH += [
    failed(Stage.STITCH),
    retry_requested(Stage.STITCH),
    note_written(),
    deleted(),
    chunk_transcribed(1),
    part_heard(1, 1),
]
ONE_OF_EACH += [note_edited(), transcription_requested(), session_opened(), session_updated(), session_ended()]
ONE_OF_EACH += [content_erased(ErasedPart.SUPERSEDED, 9, until=5)]
ONE_OF_EACH += [note_ordered(), note_order_begun(), note_order_fulfilled(), note_order_failed()]


def test_there_is_an_example_of_every_event():
    assert {type(event) for event in ONE_OF_EACH} == set(EVENT_TYPES.values())


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("trace_id", [None, "0d9c2c35-8f4c-4d0e-9d3b-2d9f5ac9a1cb"])
def test_every_event_comes_back_as_it_was_stored(event, trace_id):
    mapper, its_id = EventMapper(), uuid4()
    stored = mapper.to_stored_event(VersionedEvent(its_id, 3, event, trace_id))
    assert stored.topic == type(event).__name__
    assert orjson.loads(stored.state)["version"] == type(event).VERSION
    assert astuple(mapper.to_recorded_event(stored, position=9)) == (9, its_id, 3, event, trace_id)


def test_a_time_of_another_zone_is_the_same_moment_when_read():
    mapper = EventMapper()
    elsewhere = at(0).astimezone(timezone(timedelta(hours=5, minutes=30)))
    stored = mapper.to_stored_event(VersionedEvent(uuid4(), 1, opened(started_at=elsewhere), None))
    assert mapper.to_recorded_event(stored, position=1).event.started_at == at(0)


def test_an_older_version_is_lifted_when_read(monkeypatch):
    monkeypatch.setitem(UPCASTS, ("RetryRequested", 0), lambda fields: {"at": fields["when"], "stage": "stitch"})
    state = orjson.dumps({"version": 0, "event": {"when": at(6)}})
    read = EventMapper().to_recorded_event(StoredEvent(uuid4(), 1, "RetryRequested", state), position=1)
    assert read.event == retry_requested(Stage.STITCH)


@pytest.mark.parametrize(("topic", "version"), [("ChunkStored", ChunkStored.VERSION + 1), ("Renamed", 1)])
def test_what_a_newer_service_stored_is_refused_by_name(topic, version):
    state = orjson.dumps({"version": version, "event": {}})
    with pytest.raises(UnknownEventVersion, match=f"{topic} in version {version}"):
        EventMapper().to_domain_event(StoredEvent(uuid4(), 1, topic, state))


def test_a_corrupt_row_is_not_read_as_something_else():
    state = orjson.dumps({"version": 1, "event": {"at": at(1), "number": 0}})
    with pytest.raises(ValidationError):
        EventMapper().to_domain_event(StoredEvent(uuid4(), 1, "ChunkStored", state))

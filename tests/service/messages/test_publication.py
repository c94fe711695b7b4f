import dataclasses
from pathlib import Path
from typing import Annotated, get_type_hints
from uuid import UUID

import orjson
import pytest
from hypothesis import given

from adapters.event_log.mapper import RecordedEvent
from domain.ambient_session import fold_session
from domain.events import EVENT_TYPES, Count, ErasedPart, Since
from domain.events import Stitched as StitchedEvent
from domain.note_order import fold_order
from domain.recording import fold
from service.generators.event_schemas import EVENT_SCHEMAS
from service.messages import publication
from service.messages.forms import FORM_OF, FORMS, public_form
from service.messages.publication import PUBLIC_FORMS
from service.messages.reading import NotOurMessage, UnknownType, read_form
from tests.domain import histories
from tests.domain.history_kit import histories as valid_histories
from tests.domain.history_kit import order_histories, session_histories
from tests.tools.kafka.folding import folded
from tests.tools.kafka.reading import Seen, check_contract

RECORDING = UUID("0b7a1bd2-9e35-5e0f-8f53-0f6f4d0a4f11")
SESSION = UUID("5e3d0c1a-7c2b-5a49-9d18-2b6f0a7e4c93")
ORDER = UUID("9c1f6d5e-2b7a-5c3d-8e4f-7a6b5c4d3e2f")
CLIENT_IDS = {"correlationId": "visit-7", "recordingId": "1"}
PROMISED = Path(__file__).with_name("promised_v1.jsonl")
EXAMPLES = [
    histories.opened(external_id="visit-7", started_at=histories.at(-1), details_key="details-1"),
    histories.chunk(1),
    histories.finalized(1, md5="d" * 32),
    histories.failed(histories.Stage.STITCH),
    histories.retry_requested(histories.Stage.STITCH),
    histories.stitched(),
    histories.transcribed(),
    histories.note_written(),
    histories.deleted(),
    histories.chunk_transcribed(1),
    histories.transcription_requested("es-419", "whisper", is_anew=True),
    histories.content_erased(ErasedPart.SUPERSEDED, 1_100, until=5),
    histories.note_edited(),
    histories.part_heard(1, 1),
]
ORDER_EXAMPLES = [
    histories.note_ordered(),
    histories.note_order_begun(),
    histories.note_order_fulfilled(),
    histories.note_order_failed(),
]
SESSION_EXAMPLES = [histories.session_opened(), histories.session_updated(), histories.session_ended()]


def recorded(events, *, recording_id=RECORDING, trace_id="4f0c2a52-0d0e-4a9d-9a63-0c9c7a0e1b11", after=0):
    return [
        RecordedEvent(after + number, recording_id, number, event, trace_id) for number, event in enumerate(events, 1)
    ]


def to_message(recorded):
    return publication.to_message(recorded, CLIENT_IDS)


def seen(message):
    headers = {name: content.decode() for name, content in message.headers}
    return Seen(0, 0, message.key.decode(), message.value, headers, message.timestamp_ms)


def test_every_event_type_has_a_public_form_and_every_form_is_of_an_event():
    assert set(PUBLIC_FORMS) == set(EVENT_TYPES.values())
    assert {form.__name__ for form in FORMS.values()} == set(EVENT_TYPES)


def test_a_form_has_every_field_of_its_event_and_no_other_unless_it_was_decided():
    """A field that stays inside is named in the form's `internal`, and here."""
    for event_type, form in FORM_OF.items():
        assert form.model_fields.keys() - {form.SUBJECT, "version", "client_ids"} == event_type.model_fields.keys()


def test_a_field_that_joined_an_event_later_is_one_that_readers_may_lack_and_no_other_is():
    for event_type, form in FORM_OF.items():
        first = orjson.loads((EVENT_SCHEMAS / f"{event_type.__name__}.v1.json").read_bytes())["properties"].keys()
        lacking = {name for name, field in form.model_fields.items() if not field.is_required()} - {"client_ids"}
        assert lacking == event_type.model_fields.keys() - first


def test_a_field_is_marked_with_the_version_in_which_it_joined():
    for event_type in EVENT_TYPES.values():
        committed = {
            version: orjson.loads((EVENT_SCHEMAS / f"{event_type.__name__}.v{version}.json").read_bytes())["properties"]
            for version in range(1, event_type.VERSION + 1)
        }
        for name, hint in get_type_hints(event_type, include_extras=True).items():
            marks = [mark.version for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, Since)]
            joined = min((version for version, fields in committed.items() if name in fields), default=None)
            assert marks == ([] if joined in (1, None) else [joined]), f"{event_type.__name__}.{name}"


def test_a_new_field_of_an_event_is_published_without_another_word_and_old_messages_still_read():
    class Stitched(StitchedEvent):
        VERSION = 3
        loudness: Annotated[float, Since(3)]
        notes_ms: Annotated[Count, Since(3)]

    form = public_form(Stitched, "tapedeck.recording.stitched.v1")
    old = to_message(recorded([histories.stitched()])[0]).value
    assert form.model_validate_json(old).loudness is None
    assert form.model_json_schema()["properties"]["notes_ms"]["anyOf"][0]["description"] == "in milliseconds"
    kept_inside = public_form(Stitched, "tapedeck.recording.stitched.v1", internal=frozenset({"loudness"}))
    assert "loudness" not in kept_inside.model_fields


def test_there_is_an_example_of_every_event_type():
    assert {type(event) for event in EXAMPLES + SESSION_EXAMPLES + ORDER_EXAMPLES} == set(EVENT_TYPES.values())


def test_a_message_has_the_recordings_id_as_key_and_is_a_cloud_event_in_binary_mode():
    message = to_message(recorded(EXAMPLES, after=40)[1])
    assert message.key == str(RECORDING).encode()
    assert dict(message.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"0b7a1bd2-9e35-5e0f-8f53-0f6f4d0a4f11/2",
        "ce_source": b"/tapedeck",
        "ce_type": b"tapedeck.recording.chunk_stored.v1",
        "ce_subject": b"0b7a1bd2-9e35-5e0f-8f53-0f6f4d0a4f11",
        "ce_time": b"2026-01-13T10:01:00Z",
        "content-type": b"application/json",
        "ce_logposition": b"42",
        "ce_traceid": b"4f0c2a52-0d0e-4a9d-9a63-0c9c7a0e1b11",
    }
    assert message.timestamp_ms == 1_768_298_460_000


@given(valid_histories() | session_histories() | order_histories())
def test_every_message_says_what_clients_call_it(events):
    for event in recorded(events):
        message = to_message(event)
        assert read_form(message.key, message.value, message.headers).client_ids == CLIENT_IDS


def test_a_message_from_before_there_were_client_ids_has_none_and_its_recording_is_of_no_kind():
    message = to_message(recorded(EXAMPLES)[0])
    value = {name: fact for name, fact in orjson.loads(message.value).items() if name not in ("client_ids", "kind")}
    form = read_form(message.key, orjson.dumps(value), message.headers)
    assert (form.client_ids, form.kind) == ({}, None)
    check_contract(seen(dataclasses.replace(message, value=orjson.dumps(value))))


def test_without_a_trace_id_there_is_no_header_for_one():
    message = to_message(recorded(EXAMPLES, trace_id=None)[0])
    assert "ce_traceid" not in dict(message.headers)
    check_contract(seen(message))


@pytest.mark.parametrize(
    "event",
    recorded(EXAMPLES)
    + recorded(SESSION_EXAMPLES, recording_id=SESSION)
    + recorded(ORDER_EXAMPLES, recording_id=ORDER),
    ids=lambda event: type(event.event).__name__,
)
def test_what_was_promised_is_kept(event):
    """What a type's first version published, it publishes for ever. New fields may join; change none of these lines."""
    promised = {line["ce_type"]: line["value"] for line in map(orjson.loads, PROMISED.read_bytes().splitlines())}
    message = to_message(event)
    value = orjson.loads(message.value)
    expected = promised[dict(message.headers)["ce_type"].decode()]
    assert {name: value.get(name) for name in expected} == expected


def test_what_was_promised_can_still_be_read():
    for line in map(orjson.loads, PROMISED.read_bytes().splitlines()):
        headers = [(f"ce_{name}", value.encode()) for name, value in line["headers"].items()]
        form = read_form(line["headers"]["subject"].encode(), orjson.dumps(line["value"]), headers)
        assert line["ce_type"] == form.TYPE


@given(valid_histories())
def test_any_history_keeps_the_contract_and_folds_to_the_same_state(events):
    messages = [seen(to_message(event)) for event in recorded(events)]
    for message in messages:
        check_contract(message)
    assert folded(message.form for message in messages) == {RECORDING: fold(events)}


@given(session_histories())
def test_any_sessions_history_keeps_the_contract_and_folds_to_the_same_state(events):
    messages = [seen(to_message(event)) for event in recorded(events)]
    for message in messages:
        check_contract(message)
    assert folded(message.form for message in messages) == {RECORDING: fold_session(events)}


@given(order_histories())
def test_any_orders_history_keeps_the_contract_and_folds_to_the_same_state(events):
    messages = [seen(to_message(event)) for event in recorded(events, recording_id=ORDER)]
    for message in messages:
        check_contract(message)
    assert folded(message.form for message in messages) == {ORDER: fold_order(events)}


def test_an_orders_message_is_about_the_order_and_its_first_one_names_the_recording():
    messages = [to_message(event) for event in recorded(ORDER_EXAMPLES, recording_id=ORDER)]
    values = [orjson.loads(message.value) for message in messages]
    assert {message.key for message in messages} == {value["note_order_id"].encode() for value in values}
    assert [value.get("recording_id") for value in values] == [str(histories.RECORDING_OF_ORDER), None, None, None]


def test_a_sessions_message_is_about_the_session_and_names_no_recording():
    message = to_message(recorded(SESSION_EXAMPLES)[0])
    value = orjson.loads(message.value)
    assert message.key == dict(message.headers)["ce_subject"] == value["session_id"].encode()
    assert "recording_id" not in value


@given(valid_histories() | session_histories() | order_histories())
def test_the_same_event_makes_the_same_bytes(events):
    for event in recorded(events):
        assert to_message(event) == to_message(event)


def test_fields_that_a_reader_does_not_know_are_passed_over():
    message = to_message(recorded(EXAMPLES)[1])
    value = orjson.dumps(orjson.loads(message.value) | {"invented_later": 1})
    assert read_form(message.key, value, message.headers) == read_form(message.key, message.value, message.headers)


def changed(message, **headers):
    kept = {**dict(message.headers), **headers}
    return dataclasses.replace(message, headers=[(name, value) for name, value in kept.items() if value is not None])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda message: changed(message, ce_id=None), "it lacks the header ce_id"),
        (lambda message: changed(message, ce_specversion=b"0.3"), "it is CloudEvents 0.3, not 1.0"),
        (lambda message: changed(message, ce_id=b"other"), "its ce_id is not its key and the version"),
        (
            lambda message: dataclasses.replace(message, key=b"other"),
            "its key is not the id of its recording, session or note order",
        ),
        (
            lambda message: dataclasses.replace(message, value=message.value.replace(b'"number":1', b'"number":0')),
            "number is not as tapedeck.recording.chunk_stored.v1 says: Input should be greater than or equal to 1",
        ),
        (lambda message: dataclasses.replace(message, value=b"{"), "its value is not as"),
    ],
)
def test_a_message_that_does_not_keep_the_contract_is_refused_in_one_sentence(change, sentence):
    message = change(to_message(recorded(EXAMPLES)[1]))
    with pytest.raises(NotOurMessage) as refusal:
        read_form(message.key, message.value, message.headers)
    assert sentence in str(refusal.value)


def test_a_newer_publishers_type_is_unknown_and_not_wrong():
    message = changed(to_message(recorded(EXAMPLES)[1]), ce_type=b"tapedeck.recording.chunk_stored.v2")
    with pytest.raises(UnknownType, match=r"chunk_stored\.v2 is not known"):
        read_form(message.key, message.value, message.headers)

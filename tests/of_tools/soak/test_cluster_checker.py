"""The checker of the cluster's soak: right histories pass, and each made-up bad one is told."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from domain.events import LoggedEvent, Stage
from tests.domain.histories import chunk, deleted, failed, finalized, opened, stitched, transcribed
from tests.tools.soak.cluster.answers import wrong_answers
from tests.tools.soak.cluster.endings import (
    Ending,
    Place,
    Told,
    expected_webhooks,
    possible_audio,
    wrong_ending,
    wrong_history,
    wrong_positions,
    wrong_records,
    wrong_webhooks,
)
from tests.tools.soak.cluster.history import Call, History, Life, Operation
from tests.tools.soak.cluster.speech import Recorded, heard_in

A, B, C = (hashlib.sha256(letter).hexdigest() for letter in (b"a", b"b", b"c"))


def call(operation: Operation, begun: float, ended: float, status: int | None, **fields: Any) -> Call:
    about: dict[str, Any] = {"client": 1, "recording": "one", "retry_after": status == 503}
    return Call(operation=operation, begun=begun, ended=ended, status=status, **about | fields)


def create(begun: float = 0, status: int | None = 201, name: bytes = b'{"id": "rec_1"}') -> Call:
    return call(Operation.CREATE, begun, begun + 1, status, body=name)


def put(begun: float, ended: float, sha256: str, status: int | None = 200, number: int = 1) -> Call:
    return call(Operation.PUT, begun, ended, status, number=number, sha256=sha256)


def chunks(begun: float, ended: float, shown: dict[int, str]) -> Call:
    body = orjson.dumps({"data": [{"number": number, "sha256": sha256} for number, sha256 in shown.items()]})
    return call(Operation.CHUNKS, begun, ended, 200, body=body)


def finalize(begun: float, status: int | None = 200, body: bytes = b"answer") -> Call:
    return call(Operation.FINALIZE, begun, begun + 1, status, body=body)


def show(begun: float, status: str) -> Call:
    return call(Operation.SHOW, begun, begun + 1, 200, body=orjson.dumps({"status": status}))


def gone(begun: float) -> Call:
    return call(Operation.SHOW, begun, begun + 1, 404)


def delete(begun: float, status: int | None = 204) -> Call:
    return call(Operation.DELETE, begun, begun + 1, status)


def wrong(*calls: Call) -> list[str]:
    return [sentence.rpartition(" s: ")[2] for sentence in wrong_answers(History(calls))]


RIGHT = [
    create(),
    put(2, 3, A),
    chunks(4, 5, {1: A}),
    finalize(6),
    finalize(8),
    show(10, "processing"),
    show(12, "completed"),
    delete(14),
    gone(16),
    delete(18, 404),
]


def test_a_life_in_which_all_is_well_is_right() -> None:
    assert wrong(*RIGHT) == []


@pytest.mark.parametrize(
    "calls",
    [
        [create(status=None), create(2), create(4, 503), create(6)],
        [put(2, 3, A, 503), chunks(4, 5, {})],
        [put(2, 3, A, None), chunks(4, 5, {1: A})],
        [put(2, 3, A), put(4, 8, B), chunks(5, 6, {1: A}), chunks(5, 6, {1: B}), chunks(9, 10, {1: B})],
        [put(2, 3, A), put(4, 5, B, None), chunks(6, 7, {1: A}), chunks(6, 7, {1: B})],
        [put(2, 6, A), put(3, 7, B), chunks(8, 9, {1: A}), chunks(8, 9, {1: B})],
        [delete(2, None), gone(4), delete(6, 404)],
        [delete(2, None), show(4, "streaming"), delete(6)],
    ],
)
def test_what_was_not_acknowledged_may_be_done_or_not(calls: list[Call]) -> None:
    assert wrong(*calls) == []


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([put(2, 3, A), chunks(4, 5, {})], "chunk 1 is missing, which was acknowledged"),
        ([put(2, 3, A), chunks(4, 5, {1: C})], "chunk 1 has other bytes than those that were acknowledged last"),
        ([put(2, 3, A), put(4, 5, B), chunks(6, 7, {1: A})], "chunk 1 has other bytes"),
        ([put(2, 3, A), put(4, 5, B, None), chunks(6, 7, {})], "chunk 1 is missing"),
        ([chunks(4, 5, {1: A}), put(6, 7, A)], "chunk 1 has other bytes"),
        ([put(2, 3, A, 500)], "it was answered with 500"),
        ([put(2, 3, A, 400)], "it was answered with 400"),
        ([replace(put(2, 3, A, 503), retry_after=False)], "it was answered with 503 without a Retry-After"),
        ([put(2, 3, A, 404)], "it was answered with 404, and nobody had asked for a deletion"),
        ([gone(2), delete(4)], "it was answered with 404, and nobody had asked for a deletion"),
        ([delete(2, 404)], "it was answered with 404, and nobody had asked for a deletion"),
        ([delete(2), show(4, "streaming")], "it was answered with 200 after the recording was deleted"),
        ([delete(2, None), delete(4, 404), put(6, 7, A)], "it was answered with 200 after the recording was deleted"),
        ([finalize(2), finalize(4, body=b"other")], "one: finalize gave 2 different answers"),
        ([finalize(2, 409)], "it was answered with 409"),
        ([create(), create(2, name=b'{"id": "rec_2"}')], "one: creating it under one Idempotency-Key gave 2"),
        ([finalize(2), show(4, "streaming")], "its status was streaming after finalize was answered"),
        ([show(2, "completed"), show(4, "processing")], "its status was processing after client 1's show"),
        ([show(2, "failed")], "its status was failed"),
    ],
)
def test_each_wrong_answer_is_told(calls: list[Call], said: str) -> None:
    sentences = wrong(*calls)
    assert len(sentences) == 1, sentences
    assert sentences[0].startswith(said)


WHAT = Recorded(5, (3_000, 4_000), replaced=2)
FIRST, SECOND = (hashlib.sha256(body).hexdigest() for body in WHAT.bodies())
OTHER = hashlib.sha256(WHAT.other_body()).hexdigest()
AUDIO = b"".join(WHAT.bodies())


def lived(*more: Call) -> Life:
    sent = [put(2, 3, FIRST), put(3, 4, OTHER, number=2), put(5, 6, SECOND, number=2)]
    return History([create(), *sent, finalize(7), *more]).by_recording()["one"]


def ended(**changes: Any) -> Ending:
    right: dict[str, Any] = {
        "statuses": {"": 200, "/chunks": 200, "audio": 200},
        "found": ("rec_1",),
        "status": "completed",
        "chunks": {1: FIRST, 2: SECOND},
        "audio_sha256": hashlib.sha256(AUDIO).hexdigest(),
        "text": heard_in(AUDIO),
        "finalized": b"answer",
    }
    return Ending(**right | changes)


def gone_for_good(**changes: Any) -> Ending:
    return Ending(**{"statuses": {"": 404, "/chunks": 404}} | changes)


def test_an_end_as_it_was_acknowledged_is_right() -> None:
    assert list(wrong_ending(lived(), WHAT, ended())) == []
    assert list(wrong_ending(lived(delete(9)), WHAT, gone_for_good())) == []
    begun = History([create(), put(2, 3, FIRST)]).by_recording()["one"]
    assert list(wrong_ending(begun, WHAT, Ending(statuses={"": 200}, chunks={1: FIRST}))) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"statuses": {"": 404, "/chunks": 404}, "found": ()}, "it is gone, and nobody had asked for a deletion"),
        ({"found": ()}, "a search for its words finds nothing"),
        ({"found": ("rec_1", "rec_2")}, "a search for its words finds rec_1, rec_2"),
        ({"statuses": {"": 200, "/chunks": 200, "audio": 410}}, "not all of it can be read"),
        ({"chunks": {1: FIRST}}, "chunk 2 is missing, which was acknowledged"),
        ({"chunks": {1: FIRST, 2: OTHER}}, "chunk 2 has other bytes than those that were acknowledged last"),
        ({"finalized": b"other"}, "finalize answers differently now"),
        ({"status": "processing"}, "its status is processing"),
        ({"audio_sha256": A}, "its audio is not the chunks that were acknowledged"),
        ({"text": "another's words"}, "its transcript is not that of its audio"),
        ({"text": None}, "its transcript is not that of its audio"),
    ],
)
def test_each_wrong_end_is_told(changes: dict[str, Any], said: str) -> None:
    sentences = list(wrong_ending(lived(), WHAT, ended(**changes)))
    assert len(sentences) == 1, sentences
    assert sentences[0].startswith(said)


def test_what_is_deleted_must_be_gone_everywhere() -> None:
    left = ended(statuses={"": 404, "/chunks": 404, "transcript": 200})
    assert list(wrong_ending(lived(delete(9)), WHAT, left)) == [
        "it is deleted, and yet not all of it is gone: transcript"
    ]
    found = gone_for_good(found=("rec_1",))
    assert list(wrong_ending(lived(delete(9)), WHAT, found)) == ["it is deleted, and yet a search finds it"]


def test_the_audio_of_a_replacement_without_an_answer_may_have_either_bytes() -> None:
    calls = [put(2, 3, FIRST), put(3, 4, OTHER, None, number=2), put(5, 6, SECOND, number=2)]
    life = History(calls).by_recording()["one"]
    assert len(possible_audio(life, WHAT)) == 2
    assert len(possible_audio(lived(), WHAT)) == 1


def history_of(*events: LoggedEvent, life: Life | None = None) -> list[str]:
    stored = [chunk(1, WHAT.bodies()[0]), chunk(2, WHAT.other_body()), chunk(2, WHAT.bodies()[1])]
    return list(wrong_history(life or lived(), [opened(), *stored, *events]))


def test_a_log_with_each_result_once_is_right() -> None:
    assert history_of(finalized(2), stitched(), transcribed()) == []
    assert history_of(finalized(2), stitched(), deleted(), life=lived(delete(9))) == []


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([finalized(2), stitched()], "Transcribed stands 0 times, not 1"),
        ([finalized(2), stitched(), stitched(), transcribed()], "Stitched stands 2 times, not 1"),
        ([stitched(), transcribed()], "FinalizeRequested stands 0 times, not 1"),
        ([opened(), finalized(2), stitched(), transcribed()], "RecordingOpened stands 2 times, not 1"),
        ([finalized(2), stitched(), failed(Stage.TRANSCRIBE), transcribed()], "Failed stands 1 times, not 0"),
        ([finalized(2), stitched(), transcribed(), deleted()], "RecordingDeleted stands 1 times, not 0"),
        ([chunk(2, WHAT.bodies()[1]), finalized(2), stitched(), transcribed()], "the log has the same bytes for chunk"),
        (
            [chunk(1, b"of nobody"), finalized(2), stitched(), transcribed()],
            "the log has bytes for chunk 1 that nobody",
        ),
    ],
)
def test_each_wrong_log_is_told(events: Sequence[LoggedEvent], said: str) -> None:
    sentences = history_of(*events)
    assert len(sentences) == 1, sentences
    assert sentences[0].startswith(said)


def test_a_deletion_that_was_acknowledged_stands_in_the_log() -> None:
    assert history_of(finalized(2), life=lived(delete(9))) == ["RecordingDeleted stands 0 times, not 1"]


LOGGED = [Place("a/1", 1), Place("b/1", 2), Place("a/2", 3)]


def test_kafka_that_equals_the_log_is_right() -> None:
    assert list(wrong_positions(LOGGED)) == []
    assert list(wrong_records(LOGGED, [[LOGGED[0], LOGGED[2]], [LOGGED[1]]])) == []


def test_holes_in_the_log_are_told() -> None:
    assert list(wrong_positions([LOGGED[0], LOGGED[2]])) == ["the log's positions are not dense and in order"]


@pytest.mark.parametrize(
    ("partitions", "said"),
    [
        ([[LOGGED[0], LOGGED[2]]], "1 events of the log are not in Kafka: b/1 at 2"),
        ([LOGGED, [LOGGED[1]]], "1 records in Kafka are more than the log has: b/1 at 2"),
        ([[LOGGED[2], LOGGED[0]], [LOGGED[1]]], "the records of a partition are not in the order of the log"),
        ([[LOGGED[0]], [LOGGED[1], LOGGED[2]]], "the records of 1 recordings are in several partitions"),
    ],
)
def test_a_kafka_that_differs_is_told(partitions: list[list[Place]], said: str) -> None:
    assert said in list(wrong_records(LOGGED, partitions))


def told(event_id: str, kind: str, **changes: Any) -> Told:
    return Told(
        **{"event_id": event_id, "type": kind, "recording_id": "rec_1", "body": b"", "is_right": True} | changes
    )


EXPECTED = expected_webhooks({"rec_1": [opened(), chunk(1), deleted()]})
CAME = [told("e1", "recording.created"), told("e1", "recording.created"), told("e2", "recording.deleted")]


def test_webhooks_that_come_at_least_once_are_right() -> None:
    assert Counter({("rec_1", "recording.created"): 1, ("rec_1", "recording.deleted"): 1}) == EXPECTED
    assert list(wrong_webhooks(EXPECTED, CAME)) == []


@pytest.mark.parametrize(
    ("came", "said"),
    [
        (CAME[:2], "rec_1: recording.deleted never came"),
        ([*CAME, told("e3", "recording.created")], "rec_1: recording.created came, and there is no such event"),
        ([*CAME, replace(CAME[0], is_right=False)], "1 webhooks had a wrong form or signature: e1"),
        ([*CAME, replace(CAME[0], body=b"other")], "webhook e1 came with 2 different bodies"),
    ],
)
def test_each_wrong_webhook_is_told(came: list[Told], said: str) -> None:
    assert list(wrong_webhooks(EXPECTED, came)) == [said]

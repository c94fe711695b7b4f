"""The checker of what clients were answered: slowly or with a 503 that says when to come again, but never wrongly."""

from collections.abc import Iterator
from http import HTTPStatus

from tests.tools.soak.cluster.history import Call, History, Life, Operation

_RIGHT = {
    Operation.CREATE: HTTPStatus.CREATED,
    Operation.PUT: HTTPStatus.OK,
    Operation.FINALIZE: HTTPStatus.OK,
    Operation.SHOW: HTTPStatus.OK,
    Operation.CHUNKS: HTTPStatus.OK,
    Operation.DELETE: HTTPStatus.NO_CONTENT,
}
_ORDER = ("streaming", "uploaded", "processing", "completed")
"""A recording's statuses, as its clients see them one after another."""


def wrong_answers(history: History) -> Iterator[str]:
    """One sentence for each violation."""
    for life in history.by_recording().values():
        for call in life.calls:
            for what in _of_call(life, call):
                yield f"{life.recording}, {described(call)}: {what}"
        for what in (*_of_finalizing(life), *_of_creating(life), *_of_statuses(life)):
            yield f"{life.recording}: {what}"


def described(call: Call) -> str:
    chunk = "" if call.number is None else f" {call.number}"
    return f"client {call.client}'s {call.operation}{chunk} from {call.begun:.2f} to {call.ended:.2f} s"


def _of_call(life: Life, call: Call) -> Iterator[str]:
    if call.status is None:
        return
    if call.status == HTTPStatus.SERVICE_UNAVAILABLE:
        if not call.retry_after:
            yield "it was answered with 503 without a Retry-After"
    elif call.status == HTTPStatus.NOT_FOUND:
        if not _may_be_gone(life, call):
            yield "it was answered with 404, and nobody had asked for a deletion"
    elif call.status != _RIGHT[call.operation]:
        yield f"it was answered with {call.status}: {call.body[:300]!r}"
    elif life.deleted is not None and life.deleted < call.begun:
        yield f"it was answered with {call.status} after the recording was deleted"
    elif call.operation is Operation.CHUNKS:
        yield from _of_chunks(life, call)


def _may_be_gone(life: Life, call: Call) -> bool:
    """Whether a deletion that another call asked for could have been done by then."""
    deletions = [each for each in life.of(Operation.DELETE) if each is not call]
    return any(each.begun <= call.ended for each in deletions)


def _of_chunks(life: Life, call: Call) -> Iterator[str]:
    """What was acknowledged before it was asked for must be in it."""
    shown = {chunk["number"]: chunk["sha256"] for chunk in call.json["data"]}
    yield from wrong_chunks(life, shown, begun=call.begun, ended=call.ended)


def wrong_chunks(life: Life, shown: dict[int, str], *, begun: float, ended: float) -> Iterator[str]:
    for number in sorted(life.numbers() | shown.keys()):
        possible = life.possible(number, begun=begun, ended=ended)
        if shown.get(number) in possible:
            continue
        if number not in shown:
            yield f"chunk {number} is missing, which was acknowledged"
        else:
            yield f"chunk {number} has other bytes than those that were acknowledged last"


def _of_finalizing(life: Life) -> Iterator[str]:
    answers = {call.body for call in life.of(Operation.FINALIZE) if call.is_acknowledged}
    if len(answers) > 1:
        yield f"finalize gave {len(answers)} different answers: {sorted(answers)[:2]}"


def _of_creating(life: Life) -> Iterator[str]:
    answers = {call.body for call in life.of(Operation.CREATE) if call.is_acknowledged}
    if len(answers) > 1:
        yield f"creating it under one Idempotency-Key gave {len(answers)} different answers"


def _of_statuses(life: Life) -> Iterator[str]:
    """What was seen is seen by who asks later; what was finalized is at least uploaded."""
    known: list[tuple[float, int, str]] = [
        (call.ended, _ORDER.index("uploaded"), "finalize was answered")
        for call in life.of(Operation.FINALIZE)
        if call.is_acknowledged
    ]
    shows = [call for call in life.of(Operation.SHOW) if call.is_acknowledged]
    for call in shows:
        status = call.json["status"]
        if status not in _ORDER:
            yield f"{described(call)}: its status was {status}: {call.json.get('failure')}"
            continue
        rank = _ORDER.index(status)
        later = [what for ended, least, what in known if ended < call.begun and least > rank]
        if later:
            yield f"{described(call)}: its status was {status} after {later[0]}"
        known.append((call.ended, rank, f"{described(call)} said {status}"))

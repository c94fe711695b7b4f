"""A log line is one JSON object: what happened, when, for which request, and what its caller says of it."""

import io
import logging
import select
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.application.trace import trace_id
from service.runtime.logs import BufferedLines, JsonLines

CREATED = 1_768_298_400.25


def line_of(**facts):
    record = logging.makeLogRecord({"name": "a.b", "levelname": "INFO", "msg": "request %s", "args": ("1",)})
    record.created = CREATED
    vars(record).update(facts)
    formatter = JsonLines()
    assert formatter.format(record) == formatter.format(record), "a second handler writes the same"
    return orjson.loads(formatter.format(record))


def test_a_line_has_what_every_line_has_and_what_its_caller_adds():
    told = {"status": 200, "milliseconds": 1.5, "recording_id": "rec_1", "about": {"a": [1]}}
    expected = {"at": "2026-01-13T10:00:00.250+00:00", "level": "info", "logger": "a.b", "message": "request 1"}
    assert line_of() == expected
    assert line_of(**told) == expected | told
    assert list(line_of(**told)) == [*expected, *told]


def test_a_line_of_a_request_has_its_trace_id():
    token = trace_id.set("t-1")
    try:
        assert line_of(status=200)["trace_id"] == "t-1"
    finally:
        trace_id.reset(token)


def test_a_line_of_one_of_several_processes_names_it():
    record = logging.makeLogRecord({"msg": "request"})
    assert orjson.loads(JsonLines("api-2").format(record))["process"] == "api-2"


@pytest.mark.parametrize("is_shared", [False, True])
def test_lines_are_written_in_groups_that_stay_whole_where_several_processes_write(is_shared):
    class Stream(io.StringIO):
        def __init__(self):
            super().__init__()
            self.groups = []

        def write(self, text):
            self.groups.append(text)
            return super().write(text)

    lines, stream = ["é" * 100 + str(number) for number in range(200)], Stream()
    handler = BufferedLines(stream, is_shared=is_shared)
    for line in lines:
        handler.emit(logging.makeLogRecord({"msg": line, "levelno": logging.INFO}))
    handler.flush()
    assert stream.getvalue().splitlines() == lines
    assert not is_shared or max(len(group.encode()) for group in stream.groups) <= select.PIPE_BUF


def test_what_other_handlers_add_to_a_record_is_in_no_line():
    assert set(line_of(message="request 1", asctime="now", taskName="Task-1")) == {"at", "level", "logger", "message"}


def test_a_failure_is_in_its_line():
    with pytest.raises(ValueError, match="broken") as failed:
        raise ValueError("broken")
    shown = line_of(exc_info=(failed.type, failed.value, failed.tb), status=500)
    assert shown["exception"].endswith("ValueError: broken")
    assert shown["status"] == 500


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - Hypothesis wants these without a zone
def test_the_time_is_that_of_the_record_to_the_millisecond(moment):
    assert line_of(created=moment.timestamp())["at"] == moment.isoformat(timespec="milliseconds")

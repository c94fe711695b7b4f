"""`live` and `upload --follow`, over a service in the test's own process or one that tells what the test wants."""

import re
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.sample import spoken_text
from service.sample.word_error_rate import word_error_rate
from tests.end_to_end.service_process import SAMPLE
from tests.service.recordings_server import API_KEY, RecordingsServer

SEGMENT = b'id: 1-0123456789ab\nevent: segment\ndata: {"index":0,"start":65.2,"end":66.0,"text":"One.\\u001b[2J"}\n\n'
PROGRESS = b'id: %b\nevent: progress\ndata: {"status":"streaming","chunks_stored":3,"bytes_stored":2048}\n\n'
NEXT = b'id: 2-0123456789ab\nevent: segment\ndata: {"index":1,"start":70,"end":71.5,"text":"Two.","speaker":"S1"}\n\n'
END = (
    b'id: 2-0123456789ab-0123456789ab\nevent: transcript\ndata: {"id":"txn_1","language":"en","segment_count":2,'
    b'"word_count":2,"duration_ms":72000,"url":"/v1/transcriptions/txn_1"}\n\n'
)


@pytest.fixture(autouse=True)
def connection(server: RecordingsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAPEDECK_URL", server.url)
    monkeypatch.setenv("TAPEDECK_API_KEY", API_KEY)
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path / "data"))


def tapedeck(*arguments: object, **settings: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=settings)


def test_what_is_said_is_printed_line_by_line_and_a_connection_that_breaks_is_only_a_pause(server: RecordingsServer):
    server.live = [
        b"retry: 1\n\n" + PROGRESS % b"0-000000000000" + SEGMENT + NEXT[:40],
        b"retry: 1\n\n:\n\n" + PROGRESS % b"1-0123456789ab" + NEXT + END,
    ]
    ran = tapedeck("live", "rec_1")
    assert (ran.exit_code, ran.stdout) == (0, "1:05  One.\ufffd[2J\n1:10  S1: Two.\n")
    assert ran.stderr.splitlines() == ["streaming: 3 chunks, 2.0 KiB", "transcribed: 2 words"]
    assert server.last_event_ids == [None, "1-0123456789ab"]


def test_each_event_can_be_had_as_a_line_of_json(server: RecordingsServer):
    server.live = [SEGMENT + END]
    lines = [orjson.loads(line) for line in tapedeck("live", "rec_1", "--json").stdout.splitlines()]
    assert [line["event"] for line in lines] == ["segment", "transcript"]
    assert lines[0]["data"]["start"] == 65.2


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (b'event: failed\ndata: {"failure":{"message":"It is a PDF."}}\n\n', "The recording failed: It is a PDF."),
        (b'event: deleted\ndata: {"id":"rec_1"}\n\n', "The recording was deleted."),
        (b"event: segment\ndata: {}\n\n", "The service tells what is said in another way than this command reads."),
        (b"event: segment\ndata: x\n\n", "An event of the service is not JSON; is it a tapedeck service?"),
    ],
)
def test_an_end_without_a_transcript_is_a_failure_in_one_sentence(server: RecordingsServer, told: bytes, said: str):
    server.live = [told]
    ran = tapedeck("live", "rec_1")
    assert (ran.exit_code, ran.stderr) == (1, f"Error: {said}\n")


def test_what_is_withdrawn_is_said_and_follows_anew(server: RecordingsServer):
    withdrawn = b'id: 0-000000000000\nevent: withdrawn\ndata: {"from_index":0}\n\n'
    server.live = [SEGMENT + withdrawn + SEGMENT + END]
    ran = tapedeck("live", "rec_1")
    assert ran.stdout.count("1:05  One.") == 2
    assert "What was said from line 1 on is withdrawn; it follows anew." in ran.stderr


def test_what_is_not_settled_is_no_line(server: RecordingsServer):
    interim = b'event: interim\ndata: {"text":"One a","start":65.2,"end":65.9}\n\n'
    server.live = [interim + SEGMENT + b'event: interim\ndata: {"text":""}\n\n' + END]
    ran = tapedeck("live", "rec_1")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "1:05  One.\ufffd[2J\n", "transcribed: 2 words\n")


def test_following_and_not_waiting_exclude_each_other():
    ran = tapedeck("upload", SAMPLE, "--follow", "--no-wait")
    assert ran.exit_code == 2
    assert "--no-wait and --follow exclude each other." in ran.stderr


@pytest.mark.slow
def test_a_recording_is_followed_while_it_is_uploaded(service):
    own = {"TAPEDECK_URL": service.url, "TAPEDECK_API_KEY": service.credentials["api_key"]}
    own["TAPEDECK_END_USER_ID"] = service.credentials["end_user_id"]
    ran = tapedeck("upload", SAMPLE, "--follow", **own)
    assert ran.exit_code == 0, ran.stderr
    lines = [line.partition("  ") for line in ran.stdout.splitlines()]
    said = " ".join(re.sub(r"^S\d: ", "", text) for _, _, text in lines)
    assert word_error_rate(spoken_text(), said) <= 0.05, "three points more than whole: it was heard as it came"
    assert [time for time, _, _ in lines] == sorted(time for time, _, _ in lines)
    assert "transcribed: " in ran.stderr

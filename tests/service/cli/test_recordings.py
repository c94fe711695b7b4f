"""`show`, `transcript`, `events`, `retry`, `download`, and finding the service and its key."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from service.cli import main, wording
from service.cli.connection import find
from service.client.attempts import Attempts
from tests.places import REPOSITORY
from tests.service.recordings_server import API_KEY, Held, RecordingsServer

AUDIO = b"RIFF and so on" * 1000
DIGEST = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def connection(server: RecordingsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAPEDECK_URL", server.url)
    monkeypatch.setenv("TAPEDECK_API_KEY", API_KEY)
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def held(server: RecordingsServer) -> Held:
    """A recording that is completed."""
    held = Held("rec_1", {"started_at": "2026-03-01T09:00:00Z", "name": "Monday"}, {1: AUDIO})
    held.finalized = {"final_duration_ms": 62_250}
    held.polls = 2
    server.recordings["rec_1"] = held
    return held


def tapedeck(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_show_says_how_a_recording_stands(held: Held):
    shown = tapedeck("show", "rec_1").stdout
    for expected in ("rec_1", "Monday", "completed", "1:02.250", "audio/wav, 13.7 KiB", "txn_1"):
        assert expected in shown


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        ({"recognized_ms": 31_000, "audio_ms": 62_000}, "31.00 s of 1:02.000 recognized"),
        ({"recognized_ms": 0, "audio_ms": 62_000}, "nothing of 1:02.000 recognized"),
        (
            {"recognized_ms": 61_000, "ready_at": "2026-03-01T09:02:03.500Z"},
            "1:01.000 recognized, ready about 10:02:03",
        ),
    ],
)
def test_show_says_how_far_recognition_has_come(
    held: Held, monkeypatch: pytest.MonkeyPatch, progress: dict[str, object], shown: str
):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    held.progress = progress
    try:
        assert shown in tapedeck("show", "rec_1").stdout
    finally:
        monkeypatch.undo()
        time.tzset()


def test_show_can_give_the_services_own_words(held: Held):
    held.metadata = {"ids": [orjson.Fragment(digits) for digits in ("18446744073709551616", "0.10000000000000001")]}
    shown = tapedeck("show", "rec_1", "--json").stdout
    assert "18446744073709551616" in shown
    assert "0.10000000000000001" in shown
    document = orjson.loads(shown)
    assert document["id"] == "rec_1"
    assert document["started_at"] == "2026-03-01T09:00:00Z"


def test_show_names_the_chunks_that_could_not_be_used(held: Held):
    assert "damage" not in tapedeck("show", "rec_1").stdout
    held.damage = [{"number": 5, "reason": "damaged", "message": "Chunk 5 cannot be decoded."}]
    shown = tapedeck("show", "rec_1").stdout
    assert "completed" in shown
    assert re.search(r"damage +Chunk 5 cannot be decoded\.", shown)


def test_show_names_chunks_that_cannot_be_audio(held: Held):
    assert "suspect" not in tapedeck("show", "rec_1").stdout
    held.suspects = [{"number": 3, "looks_like": "a PDF document"}, {"number": 7, "looks_like": "text"}]
    shown = tapedeck("show", "rec_1").stdout
    assert "chunk 3 looks like a PDF document, chunk 7 looks like text" in shown


def test_show_says_why_a_recording_failed(held: Held):
    held.failure = {"stage": "transcribe", "reason": "engine_failed", "message": "The engine ended."}
    assert "failed while transcribing: The engine ended." in tapedeck("show", "rec_1").stdout


def test_a_recording_that_does_not_exist_is_one_sentence():
    result = tapedeck("show", "rec_none")
    assert result.exit_code == 1
    assert result.stderr == "Error: There is no such recording (404 recording_not_found).\n"


def test_the_transcript_is_printed(held: Held):
    assert tapedeck("transcript", "rec_1").stdout == "go forward ten meters\n"


def test_no_transcript_yet_is_one_sentence(held: Held):
    held.finalized = None
    result = tapedeck("transcript", "rec_1")
    assert (result.exit_code, result.stderr) == (1, "Error: rec_1 has no transcript yet: its status is streaming.\n")


@pytest.mark.parametrize("form", ["txt", "srt", "vtt", "json"])
def test_the_transcript_is_printed_in_each_format_as_it_came(held: Held, form: str):
    result = tapedeck("transcript", "rec_1", "--format", form)
    assert (result.stdout, result.stderr) == (f"go forward ten meters as {form}\n", "")


def test_the_transcript_is_written_to_a_file_which_stderr_names(held: Held, tmp_path: Path):
    (tmp_path / "visit.srt").write_text("an older one")
    result = tapedeck("transcript", "rec_1", "--format", "vtt", "-o", "visit.srt")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "visit.srt: 29 B\n")
    assert (tmp_path / "visit.srt").read_text() == "go forward ten meters as vtt\n"
    assert [path.name for path in tmp_path.iterdir()] == ["visit.srt"]


@pytest.mark.parametrize(("name", "form"), [("a.srt", "srt"), ("a.VTT", "vtt"), ("a.json", "json"), ("a.text", "txt")])
def test_a_files_ending_says_the_format_unless_it_is_given(held: Held, tmp_path: Path, name: str, form: str):
    tapedeck("transcript", "rec_1", "-o", name)
    assert (tmp_path / name).read_text() == f"go forward ten meters as {form}\n"


def test_a_transcript_can_be_written_into_a_pipe(held: Held, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert tapedeck("transcript", "rec_1", "-o", "pipe").exit_code == 0
    assert os.read(reading, 100) == b"go forward ten meters as txt\n"
    os.close(reading)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"finalized": None}, "rec_1 has no transcript yet: its status is streaming."),
        (
            {"failure": {"stage": "transcribe", "reason": "engine_failed", "message": "The engine ended."}},
            "rec_1 failed while transcribing: The engine ended.",
        ),
    ],
)
def test_no_file_is_written_of_a_transcript_that_is_not_there(
    held: Held, tmp_path: Path, change: dict[str, object], sentence: str
):
    for name, value in change.items():
        setattr(held, name, value)
    result = tapedeck("transcript", "rec_1", "--format", "srt", "-o", "visit.srt")
    assert (result.exit_code, result.stderr) == (1, f"Error: {sentence}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_there_is_not_is_refused_with_those_that_there_are(held: Held):
    result = tapedeck("transcript", "rec_1", "--format", "docx")
    assert result.exit_code == 2
    assert "'docx' is not one of 'txt', 'srt', 'vtt', 'json'." in result.stderr


def test_the_history_is_a_line_an_event_aligned(server: RecordingsServer, held: Held):
    server.events = [
        event(1, "RecordingOpened", codec="opus", max_chunks=100, device_id=None, tenant_id="proj_1"),
        event(2, "ChunkStored", number=1, size_bytes=59_500, sha256=DIGEST, md5=DIGEST[:32]),
        event(3, "Transcribed", engine="pocketsphinx", word_count=160, confidence=0.9312, duration_ms=62_250),
        event(4, "Failed", stage="transcribe", reason="engine_failed"),
    ]
    lines = tapedeck("events", "rec_1").stdout.splitlines()
    assert [line[25:] for line in lines] == [
        "RecordingOpened  codec opus  max chunks 100",
        "ChunkStored      #1     58.1 KiB  sha256 0123456789ab",
        "Transcribed      engine pocketsphinx  word count 160  confidence 0.93  duration 1:02.250",
        "Failed           stage transcribe  reason engine_failed",
    ]
    assert all(line[19:23] == ".125" for line in lines)


def test_the_history_as_json_is_a_line_an_event(server: RecordingsServer, held: Held):
    server.events = [event(number, "ChunkStored", number=number) for number in (1, 2, 3)]
    written = [orjson.loads(line) for line in tapedeck("events", "rec_1", "--json").stdout.splitlines()]
    assert [entry["data"]["number"] for entry in written] == [1, 2, 3]


def test_a_failed_recording_is_retried_to_its_transcript(held: Held):
    held.failure = {"stage": "transcribe", "reason": "engine_failed", "message": "The engine ended."}
    result = tapedeck("retry", "rec_1", "--wait")
    assert (result.exit_code, result.stdout) == (0, "go forward ten meters\n")


def test_retrying_what_has_not_failed_is_one_sentence(held: Held):
    result = tapedeck("retry", "rec_1")
    assert (result.exit_code, result.stderr) == (1, "Error: There is nothing to retry (409 not_failed).\n")


def test_the_audio_comes_back_under_the_recordings_name(held: Held, tmp_path: Path):
    result = tapedeck("download", "rec_1")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "rec_1.wav").read_bytes() == AUDIO


def test_the_audio_comes_back_where_it_is_wanted(held: Held, tmp_path: Path):
    tapedeck("download", "rec_1", "-o", tmp_path / "here.bin", "--quiet")
    assert (tmp_path / "here.bin").read_bytes() == AUDIO


def test_a_download_to_nowhere_is_one_sentence(held: Held, tmp_path: Path):
    result = tapedeck("download", "rec_1", "-o", tmp_path / "none" / "here.bin")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert result.stderr.splitlines()[-1].endswith("No such file or directory.")


def test_without_a_key_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TAPEDECK_API_KEY")
    result = tapedeck("show", "rec_1")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: No API key: give --api-key or TAPEDECK_API_KEY;")
    assert len(result.stderr.splitlines()) == 1


def test_development_credentials_are_found(
    held: Held, server: RecordingsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("TAPEDECK_API_KEY")
    monkeypatch.delenv("TAPEDECK_URL")
    write_credentials(tmp_path, server.url)
    assert tapedeck("transcript", "rec_1").exit_code == 0


def test_the_development_key_goes_to_no_other_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("TAPEDECK_API_KEY")
    write_credentials(tmp_path, "http://127.0.0.1:8080")
    result = tapedeck("show", "rec_1", "--url", "https://elsewhere.example")
    assert "No API key" in result.stderr


def test_unreadable_credentials_are_a_warning(held: Held, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dev-credentials.json").write_text("{")
    result = tapedeck("transcript", "rec_1")
    assert result.exit_code == 0
    assert "cannot be read" in result.stderr


def test_a_key_is_not_in_what_a_connection_looks_like():
    assert API_KEY not in repr(find(None, API_KEY, Attempts()))


def test_help_says_where_the_address_comes_from():
    shown = " ".join(tapedeck("show", "--help").output.split())
    assert "Address of the service; unless given, the development credentials' base_url, or else " in shown


@pytest.mark.parametrize("command", ["--help", "show --help", "demo --help"])
def test_help_needs_neither_audio_nor_speech_libraries(command: str):
    look = (
        "import sys; from service.cli import main\n"
        f"main({command.split()!r}, standalone_mode=False)\n"
        "print('LOADED', sorted({'faster_whisper', 'ctranslate2', 'numpy', 'eventsourcing'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert run.stdout.endswith("LOADED []\n")


@pytest.mark.parametrize(
    ("size_bytes", "written"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 2**30, "5.0 GiB"), (2**50, "1024.0 TiB")],
)
def test_sizes(size_bytes: int, written: str):
    assert wording.size(size_bytes) == written


@pytest.mark.parametrize(
    ("duration_ms", "written"),
    [(0, "0 ms"), (850, "850 ms"), (7250, "7.25 s"), (725_300, "12:05.300"), (3_723_000, "1:02:03.000")],
)
def test_durations(duration_ms: int, written: str):
    assert wording.duration(duration_ms) == written


def event(position: int, kind: str, **data: object) -> dict[str, object]:
    return {"position": position, "version": position, "type": kind, "at": "2026-03-01T09:00:00.125Z", "data": data}


def write_credentials(tmp_path: Path, base_url: str) -> None:
    (tmp_path / "data").mkdir()
    credentials = {"base_url": base_url, "bota": {"api_key": API_KEY, "end_user_id": "eu_1"}}
    (tmp_path / "data" / "dev-credentials.json").write_bytes(orjson.dumps(credentials))


def test_the_stored_chunks_of_a_failed_recording_are_downloaded_one_after_another(
    held: Held, server: RecordingsServer, tmp_path: Path
):
    held.chunks = {1: AUDIO, 2: b"", 3: b"no audio" * 100_000}
    held.failure = {"stage": "stitch", "reason": "not_audio", "message": "Chunk 3 is not audio."}
    server.damage_once = {3}  # cut short on its way, and asked for again
    refused = tapedeck("download", "rec_1")
    assert refused.exit_code == 1
    assert "can be downloaded with --chunks" in refused.stderr
    done = tapedeck("download", "rec_1", "--chunks")
    assert (done.exit_code, (tmp_path / "rec_1.chunks").read_bytes()) == (0, held.audio), done.stderr
    assert "rec_1.chunks: 794.9 KiB" in done.stderr
    assert list(tmp_path.glob(".*.part")) == []

"""`tapedeck upload`, as it is run: a process, its output, its exit code."""

import os
import pty
import re
import signal
import subprocess
import sys
import wave
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.cli.audio_file import duration_ms
from tests.service.recordings_server import API_KEY, RecordingsServer, answer_with


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(Random(11).randbytes(2 * 16_000 * 3))
    return path


@pytest.fixture(autouse=True)
def connection(server: RecordingsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAPEDECK_URL", server.url)
    monkeypatch.setenv("TAPEDECK_API_KEY", API_KEY)
    monkeypatch.setenv("TAPEDECK_END_USER_ID", "eu_1")
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path / "none"))


def tapedeck(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def process(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "service.cli", *map(str, arguments)]


def test_stdout_is_the_transcript_and_nothing_else(server: RecordingsServer, speech: Path):
    result = tapedeck("upload", speech, "--chunk-size", "16K")
    assert result.exit_code == 0, result.output
    assert result.stdout == "go forward ten meters\n"
    assert server.only.audio == speech.read_bytes()


def test_without_a_terminal_progress_is_plain_lines(server: RecordingsServer, speech: Path):
    lines = tapedeck("upload", speech, "--chunk-size", "16K", "--parallel", 1).stderr.splitlines()
    assert lines[0] == "recording rec_0001"
    assert lines[1:7] == [f"chunk {number} of 6 stored, 16.0 KiB" for number in range(1, 6)] + [
        "chunk 6 of 6 stored, 13.8 KiB"
    ]
    assert lines[7:] == ["transcribing", "completed"]


def test_on_a_terminal_there_is_a_progress_bar(server: RecordingsServer, speech: Path):
    ours, theirs = pty.openpty()
    with subprocess.Popen(process("upload", speech), stdout=subprocess.PIPE, stderr=theirs) as run:
        os.close(theirs)
        drawn = read_all(ours)
        assert run.stdout is not None
        assert run.stdout.read() == b"go forward ten meters\n"
    assert run.returncode == 0
    assert "━" in drawn
    assert "uploading" in drawn


def test_quiet_is_quiet(server: RecordingsServer, speech: Path):
    assert tapedeck("upload", speech, "--quiet").stderr == ""


def test_no_wait_prints_the_id_alone(server: RecordingsServer, speech: Path):
    assert tapedeck("upload", speech, "--no-wait").stdout == "rec_0001\n"


def test_what_the_service_is_told_is_what_the_file_is(server: RecordingsServer, speech: Path):
    tapedeck("upload", speech, "--chunk-size", "32K")
    told = server.only.body
    assert (told["codec"], told["estimated_duration_ms"], told["end_user_id"]) == ("wav", 3000, "eu_1")
    assert (told["name"], told["chunk_duration_ms"]) == ("speech.wav", 1000)
    assert server.only.finalized is not None
    assert server.only.finalized["final_duration_ms"] == 3000


def test_there_are_never_more_chunks_than_the_service_takes(server: RecordingsServer, speech: Path):
    server.max_chunks = 4
    assert tapedeck("upload", speech, "--chunk-size", "1K").exit_code == 0
    assert len(server.only.chunks) == 4
    assert server.only.audio == speech.read_bytes()


def test_a_service_restarted_in_the_middle_is_survived(server: RecordingsServer, speech: Path):
    server.next_time("PUT", "chunk_3.opus", server.restart_in_the_middle())
    server.next_time("POST", "/finalize", answer_with(503))
    result = tapedeck("upload", speech, "--chunk-size", "16K")
    assert result.exit_code == 0, result.output
    assert server.only.audio == speech.read_bytes()
    assert "trying again in" in result.stderr


def test_an_upload_that_gave_up_says_how_to_go_on_and_goes_on(server: RecordingsServer, speech: Path):
    server.next_time("PUT", "chunk_4.opus", answer_with(503))
    given_up = tapedeck("upload", speech, "--chunk-size", "16K", "--parallel", 1, "--patience", 0)
    assert given_up.exit_code == 1
    assert f"tapedeck upload {speech} --resume rec_0001" in given_up.stderr
    resumed = tapedeck("upload", speech, "--resume", "rec_0001")
    assert resumed.exit_code == 0, resumed.output
    assert "3 of 6 chunks are stored" in resumed.stderr
    assert server.only.audio == speech.read_bytes()
    assert server.count("PUT", "chunk_1.opus") == 1


def test_resuming_what_is_complete_only_prints_the_transcript(server: RecordingsServer, speech: Path):
    tapedeck("upload", speech)
    again = tapedeck("upload", speech, "--resume", "rec_0001")
    assert again.stdout == "go forward ten meters\n"
    assert server.count("POST", "/finalize") == 1


def test_resuming_with_another_file_is_refused(server: RecordingsServer, speech: Path, tmp_path: Path):
    tapedeck("upload", speech)
    other = tmp_path / "other.wav"
    other.write_bytes(speech.read_bytes()[::-1])
    refused = tapedeck("upload", other, "--resume", "rec_0001")
    assert refused.exit_code == 1
    assert "chunks are from another file" in refused.stderr


def test_ctrl_c_says_how_to_go_on(server: RecordingsServer, speech: Path):
    run = subprocess.Popen(
        process("upload", speech, "--chunk-size", "16K", "--parallel", 1), stderr=subprocess.PIPE, text=True
    )

    async def interrupt(_request):
        run.send_signal(signal.SIGINT)

    server.next_time("PUT", "chunk_2.opus", interrupt)
    server.next_time("PUT", "chunk_3.opus", *[answer_with(503)] * 100)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 130
    assert errors.endswith(f"Stopped.\nTo continue: tapedeck upload {speech} --resume rec_0001\n")
    assert "Traceback" not in errors


def test_a_recording_that_fails_is_one_sentence(server: RecordingsServer, speech: Path):
    server.fail_with = {"stage": "stitch", "reason": "not_audio", "message": "Chunk 2 is not audio."}
    result = tapedeck("upload", speech)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == "Error: rec_0001 failed while stitching: Chunk 2 is not audio."


def test_no_speech_at_all_is_not_a_failure(server: RecordingsServer, speech: Path):
    server.transcript = ""
    result = tapedeck("upload", speech)
    assert result.exit_code == 0
    assert "no speech" in result.stderr


def test_what_is_not_audio_is_not_even_sent(server: RecordingsServer, tmp_path: Path):
    path = tmp_path / "letter.wav"
    path.write_text("Dear doctor")
    result = tapedeck("upload", path)
    assert result.exit_code == 1
    assert re.fullmatch(r"Error: .*letter\.wav cannot be read as audio: .*\.\n", result.stderr)
    assert server.seen == []


def test_the_length_can_be_given_when_the_file_cannot_be_asked(server: RecordingsServer, tmp_path: Path):
    path = tmp_path / "fragment.ogg"
    path.write_bytes(b"not a container at all")
    assert tapedeck("upload", path, "--duration", "2.5").exit_code == 0
    assert server.only.finalized is not None
    assert server.only.finalized["final_duration_ms"] == 2500


@pytest.mark.parametrize("written", ["0", "-1", "12Q", "", "1.5M", "²"])
def test_a_chunk_size_that_is_none_is_refused(speech: Path, written: str):
    result = tapedeck("upload", speech, "--chunk-size", written)
    assert result.exit_code == 2
    assert "not a size" in result.stderr


def test_a_wav_is_as_long_as_its_samples(speech: Path):
    assert duration_ms(speech) == 3000


def read_all(terminal: int) -> str:
    drawn = b""
    while True:
        try:
            block = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side of a terminal is gone
            break
        if not block:
            break
        drawn += block
    os.close(terminal)
    return drawn.decode()

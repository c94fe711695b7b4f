"""The README is true: its walk-through runs as it stands, and its settings table is the settings."""

import re
import subprocess
import sys
from pathlib import Path

from adapters.tokens.allow_list import parse_allow_list
from service.cli.serve import setting_rows
from service.messages.forms import FORMS
from service.sample import spoken_text
from service.sample.word_error_rate import word_error_rate
from tests.end_to_end.service_process import short_speech
from tests.places import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_walk_through_runs_as_it_stands(service, tmp_path):
    """In a folder that looks like the repository's with the service running: `.data` and `service/` are there."""
    (tmp_path / ".data").symlink_to(service.data_dir)
    (tmp_path / "service").symlink_to(REPOSITORY / "service")
    (script,) = re.findall(r"```sh\n(.*?)```", section("A recording by hand"), re.DOTALL)
    ran = subprocess.run(["sh", "-eu"], input=script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    finalized, status, transcript, events, same = ran.stdout.strip().splitlines()
    assert status == "completed"
    assert '"status":"uploaded"' in finalized
    assert word_error_rate(spoken_text(), transcript) <= 0.02
    assert '"type":"Transcribed"' in events
    assert same == "The audio is the audio that was sent."


def test_the_walk_through_for_dragons_clients_runs_as_it_stands(service, tmp_path):
    """With three seconds of speech in the sample's place: what is tried here is the walk, not the speech engine."""
    (tmp_path / ".data").symlink_to(service.data_dir)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/tapedeck").symlink_to(Path(sys.executable).with_name("tapedeck"))
    (tmp_path / "service/sample").mkdir(parents=True)
    (tmp_path / "service/sample/consultation.opus").write_bytes(short_speech())
    script = re.findall(r"```sh\n(.*?)```", section("For clients of Dragon Copilot's ambient audio"), re.DOTALL)[-1]
    ran = subprocess.run(["sh", "-eu"], input=script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    session, *stored, finalized = ran.stdout.splitlines()[:5]
    assert '"status":"active"' in session
    assert {*stored, finalized} == {'{"error":null}'}
    assert re.search(r"external id +visit-[0-9a-f-]+/1 *\n", ran.stdout)


def test_the_allow_list_in_it_can_be_used():
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (issuer,) = parse_allow_list(example).issuers.values()
    assert list(issuer.applications) == ["partner-client"]


def test_the_settings_table_is_the_settings():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", section("Settings"), re.MULTILINE)
    assert rows == [(name, what, f"`{default}`") for name, what, default in setting_rows()]


def test_every_type_of_message_is_named():
    (row,) = [line for line in section("Every event in Kafka").splitlines() if line.startswith("| `ce_type`")]
    assert set(re.findall(r"`([a-z_]+)`", row)) - {"ce_type"} == {name.split(".")[2] for name in FORMS}


def test_every_file_the_readme_names_exists():
    for path in re.findall(r"`(tests/[\w/.]+|service/[\w/.]+|domain/|adapters/)`", README):
        assert (REPOSITORY / path).exists(), path

"""The README is true: its walk-through runs as it stands, and its settings table is the settings."""

import re
import subprocess
from pathlib import Path

from service.cli.serve import setting_rows
from service.messages.forms import FORMS
from service.sample import spoken_text
from service.sample.word_error_rate import word_error_rate

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_walk_through_runs_as_it_stands(service, tmp_path):
    """In a folder that looks like the repository's with the service running: `.data` and `service/` are there."""
    (tmp_path / ".data").symlink_to(service.data_dir)
    (tmp_path / "service").symlink_to(ROOT / "service")
    (script,) = re.findall(r"```sh\n(.*?)```", section("A recording by hand"), re.DOTALL)
    ran = subprocess.run(["sh", "-eu"], input=script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    finalized, status, transcript, events, same = ran.stdout.strip().splitlines()
    assert status == "completed"
    assert '"status":"uploaded"' in finalized
    assert word_error_rate(spoken_text(), transcript) <= 0.15
    assert '"type":"Transcribed"' in events
    assert same == "The audio is the audio that was sent."


def test_the_settings_table_is_the_settings():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", section("Settings"), re.MULTILINE)
    assert rows == [(name, what, f"`{default}`") for name, what, default in setting_rows()]


def test_every_type_of_message_is_named():
    (row,) = [line for line in section("Every event in Kafka").splitlines() if line.startswith("| `ce_type`")]
    assert set(re.findall(r"`([a-z_]+)`", row)) - {"ce_type"} == {name.split(".")[2] for name in FORMS}


def test_every_file_the_readme_names_exists():
    for path in re.findall(r"`(tests/[\w/.]+|service/[\w/.]+|domain/|adapters/)`", README):
        assert (ROOT / path).exists(), path

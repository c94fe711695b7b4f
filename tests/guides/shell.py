"""Runs what guides tell people to type: shell as it stands, in a folder that looks like a checkout, and make."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.service_process import short_speech
from tests.left_out import skip_outside_ci
from tests.places import REPOSITORY


def checkout(folder: Path, data_dir: Path, *, whole_sample: bool = False) -> Path:
    """`.data`, `.venv` and the speech sample, which is three seconds long unless the whole of it is asked for."""
    (folder / ".data").symlink_to(data_dir)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/tapedeck").symlink_to(Path(sys.executable).with_name("tapedeck"))
    sample = folder / "service/sample/consultation.opus"
    sample.parent.mkdir(parents=True)
    if whole_sample:
        shutil.copy(REPOSITORY / "service/sample/consultation.opus", sample)
    else:
        sample.write_bytes(short_speech())
    return folder


def run(script: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """It ends with 0; what it says on stderr is for the test to look at."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("TAPEDECK_")}
    ran = subprocess.run(
        ["sh", "-eu"],
        input=script,
        cwd=folder,
        env=others | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


def make(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Where make has not made `.venv` yet, which takes a minute and a network, the test is skipped; never in CI."""
    if not (REPOSITORY / ".venv/installed").exists():
        skip_outside_ci("needs the .venv that make makes")
        pytest.fail("in CI, make makes .venv before the tests run")
    # As it is: a pyproject.toml newer than it would have make empty the .venv that these tests run from.
    command = ["make", "--no-print-directory", "-o", ".venv/installed", *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )

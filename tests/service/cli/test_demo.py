"""`tapedeck demo`, with the real service."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from service.cli.own_service import running_service
from service.client import ClientFailure

DEMO = [sys.executable, "-m", "service.cli", "demo"]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The only place where the demo may leave anything, to see that it does not."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_the_demo_shows_the_whole_way_and_leaves_nothing_behind(temporary: Path):
    run = subprocess.run(
        DEMO, capture_output=True, text=True, timeout=150, check=False, env={**os.environ, "TMPDIR": str(temporary)}
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rate = re.search(r"Word error rate.*: (\d+\.\d)%", run.stdout)
    assert rate is not None
    assert float(rate[1]) <= 15
    assert "headache" in run.stdout
    history = re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  (\w+)", run.stdout, re.MULTILINE)
    assert history == ["RecordingOpened", *["ChunkStored"] * 5, "FinalizeRequested", "Stitched", "Transcribed"]
    assert "chunk 5 of 5 stored" in run.stderr or "chunk 4 of 5 stored" in run.stderr
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.slow
def test_a_demo_that_is_stopped_stops_its_service(temporary: Path, ending: signal.Signals, code: int):
    with subprocess.Popen(
        DEMO,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
    ) as run:
        assert run.stdout is not None
        assert any("It is ready" in line for line in run.stdout)
        started = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(ending)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == code, errors
    assert "Traceback" not in errors
    assert started
    _, alive = psutil.wait_procs(started, timeout=60)  # the system may take a while to bury them
    assert alive == []
    assert list(temporary.iterdir()) == []


async def test_a_service_that_cannot_start_says_why_in_its_own_words(tmp_path: Path):
    (tmp_path / "data").write_text("a file where the directory should be")
    with pytest.raises(
        ClientFailure, match=r"(?s)^The service ended at once, with code \d+\.\nThe service's last log lines:\n  "
    ):
        async with running_service(tmp_path):
            pass

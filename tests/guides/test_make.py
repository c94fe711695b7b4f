"""The targets of make that guides name, run by make itself."""

import os
import shutil
import signal
import subprocess
import urllib.request
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.guides.guides import block
from tests.guides.shell import make
from tests.places import REPOSITORY
from tests.tools.free_ports import free_port

CI = (REPOSITORY / ".ci/run").read_text().splitlines()
ROOMS = ("adapters", "domain", "schemas", "service")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code, and the environment of this one."""
    for room in ROOMS:
        shutil.copytree(REPOSITORY / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(REPOSITORY / file, tmp_path / file)
        os.utime(tmp_path / file, (0, 0))  # older than .venv/installed, or make would empty the .venv of this checkout
    (tmp_path / ".venv").symlink_to(REPOSITORY / ".venv")
    return tmp_path


def test_the_first_commands_are_what_ci_runs():
    for line in block("README.md", "Try it", "sh").splitlines():
        assert line in CI


def test_the_first_commands_of_those_who_contribute_work(checkout):
    first, second = block(".github/CONTRIBUTING.md", "Set up", "sh").splitlines()
    assert second in CI
    shown = make(checkout, *first.split()[1:])
    assert shown.returncode == 0
    assert {"run", "demo", "test", "lint", "schemas"} <= {line.split()[0] for line in shown.stdout.splitlines()}


@pytest.mark.slow
def test_make_run_starts_the_service_and_kafka_is_set_by_the_environment(tmp_path, checkout):
    """In the words of two guides: alone, and with a Kafka, which need not be there."""
    script = block("README.md", "Run it", "sh", number=1)
    with_kafka = block("service/messages/README.md", "Try it without a Kafka of your own", "sh", number=1)
    assert with_kafka.endswith(f" {script}")
    port = str(free_port())
    settings = {"TAPEDECK_PORT": port, "TAPEDECK_DATA_DIR": str(tmp_path / "data")}
    make(checkout, "help")
    process = subprocess.Popen(
        ["sh", "-euc", f"{with_kafka.replace(f' {script}', f' exec {script}')}"],
        cwd=checkout,
        env=os.environ | settings,
        stderr=subprocess.DEVNULL,
    )
    try:
        metrics = answer(f"http://127.0.0.1:{port}/metrics", process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert "tapedeck_publisher_lag_events" in metrics


def answer(url: str, process: "subprocess.Popen[bytes]", seconds: float = 60) -> str:
    """What is there once someone listens."""
    end = monotonic() + seconds
    while monotonic() < end:
        assert process.poll() is None
        with suppress(OSError), urllib.request.urlopen(url) as given:  # noqa: S310 - its own address
            return given.read().decode()
        sleep(0.05)
    raise TimeoutError(url)


@pytest.mark.slow
def test_make_schemas_and_format_change_nothing_that_is_committed(checkout):
    """What they would change, the tests of `schemas/` and `make lint` would have found."""
    before = contents(checkout)
    for target in ("schemas", "format"):
        done = make(checkout, target)
        assert done.returncode == 0, done.stdout + done.stderr
    assert contents(checkout) == before


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for room in ROOMS for path in (folder / room).rglob("*.*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if "__pycache__" not in path.parts}


@pytest.mark.slow
def test_make_soak_runs_as_little_as_it_is_told_to():
    done = make(REPOSITORY, "soak", SIMULATION_SEEDS="4", SIMULATION_PROCESSES="1", SOAK_EXAMPLES="5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 runs in " in done.stdout
    assert " passed" in done.stdout


def test_every_target_is_told_by_make_help():
    shown = make(REPOSITORY, "help").stdout
    targets = {line.split()[0] for line in shown.splitlines()}
    (phony,) = [line for line in (REPOSITORY / "Makefile").read_text().splitlines() if line.startswith(".PHONY:")]
    assert set(phony.split()[1:]) == targets

"""What the service is installed with: systemd's units, the file for Compose, and a Containerfile, which is executed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from service.runtime.settings import load_settings
from tests.end_to_end.containerfile import CONTAINERFILE, instructions, instructions_of_the_image
from tests.left_out import needed, skip_outside_ci
from tests.places import REPOSITORY
from tests.tools.free_ports import free_port

DEPLOY = REPOSITORY / "service/runtime/deploy"
UNIT = DEPLOY / "systemd/tapedeck.service"
UNIT_COMMANDS = ("serve", "work", "publish")
EVERY_UNIT = pytest.mark.parametrize("command", UNIT_COMMANDS)
COMPOSE = DEPLOY / "compose/compose.yaml"
MOST_EXPOSED = 20
"""On systemd's scale from 0, a program that can do nothing, to 100."""

CLOSING_SECONDS = 30
SECONDS = 300
INSTALLING_SECONDS = 900
UNPRIVILEGED = 10001


def loaded(monkeypatch, environment):
    """The settings that an environment gives. Each name must be one of them."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert {name.removeprefix("TAPEDECK_").lower() for name in environment} <= set(type(settings).model_fields)
    return settings


def environment_file():
    lines = (DEPLOY / "systemd/tapedeck.env").read_text().splitlines()
    return dict(line.removeprefix("# ").split("=", 1) for line in lines if re.match(r"(# )?TAPEDECK_\w+=", line))


def composed():
    text = COMPOSE.read_text()
    asked = dict(re.findall(r"\$\{(\w+)(:\?[^}]+)\}", text))
    assert asked.keys() == {"PUBLIC_URL", "DATABASE_PASSWORD"}
    for name, value in (("PUBLIC_URL", "https://tapedeck.example.com"), ("DATABASE_PASSWORD", "0f" * 24)):
        text = re.sub(rf"\$\{{{name}:\?[^}}]+\}}", value, text)
    return text, yaml.safe_load(text)["services"]


def read_unit(command):
    """The file of the unit that runs a command, its text, and its settings."""
    path = UNIT if command == "serve" else UNIT.with_stem(f"tapedeck-{command}")
    text = path.read_text()
    return path, text, dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]\w+=", line))


@EVERY_UNIT
def test_systemd_takes_the_unit_and_finds_it_little_exposed(tmp_path, command):
    analyze = needed("systemd-analyze", "checks the unit")
    path, text, its = read_unit(command)
    unit = tmp_path / path.name
    program = "/opt/tapedeck/.venv/bin/tapedeck"
    further = " --operations-port 9465" if command == "publish" else ""
    assert its["ExecStart"] == f"{program} {command}{further}"
    assert text.count(program) == 1
    unit.write_text(text.replace(program, str(Path(sys.executable).with_name("tapedeck"))))
    for check in (["verify"], ["security", "--offline=true", f"--threshold={MOST_EXPOSED}"]):
        ran = subprocess.run([analyze, *check, unit], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert f"{path.name}:" not in ran.stderr, ran.stderr


@EVERY_UNIT
def test_the_unit_runs_its_command_with_settings_that_it_has_and_waits_for_its_end(monkeypatch, command):
    _, _, unit = read_unit(command)
    settings = loaded(monkeypatch, environment_file() | dict([unit["Environment"].split("=", 1)]))
    assert str(settings.data_dir) == f"/var/lib/{unit['StateDirectory']}"
    assert (unit["User"], unit["EnvironmentFile"]) == ("tapedeck", "/etc/tapedeck/tapedeck.env")
    assert (unit["Restart"], unit["ProtectSystem"]) == ("on-failure", "strict")
    assert "NotifyAccess" not in unit  # nothing of tapedeck notifies
    if command == "serve":
        assert int(unit["TimeoutStopSec"]) >= settings.drain_seconds + settings.stop_seconds + CLOSING_SECONDS
    if command != "publish":
        assert unit["KillMode"] == "mixed"


def test_every_unit_takes_the_same_from_its_program():
    taken = [read_unit(command)[1].partition("# MemoryDenyWriteExecute")[2] for command in UNIT_COMMANDS]
    assert taken[0]
    assert taken[0] == taken[1] == taken[2]


def test_the_settings_of_several_hosts_are_in_the_file_for_systemd_and_fit_together(monkeypatch):
    settings = loaded(monkeypatch, environment_file())
    assert settings.peer_url is not None
    assert settings.has_shared_stores
    assert settings.kafka is not None


def test_compose_takes_the_file_and_the_service_takes_the_settings_in_it(monkeypatch):
    text, services = composed()
    try:
        from compose_spec import PyCompose  # noqa: PLC0415 - it has wheels for Linux only
    except ImportError:
        skip_outside_ci("compose-spec is not installed; this test checks the file for Compose with it.")
        raise
    assert set(PyCompose.from_yaml(text).service_names()) == {"tapedeck", "postgres", "kafka"}
    with pytest.raises(ValueError, match="stop_grace_perid"):
        PyCompose.from_yaml(text.replace("stop_grace_period", "stop_grace_perid"))
    service = services["tapedeck"]
    settings = loaded(monkeypatch, service["environment"] | instructions_of_the_image()["ENV"])
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert grace >= settings.drain_seconds + settings.stop_seconds + CLOSING_SECONDS
    assert settings.kafka is not None
    assert service["ports"] == [f"127.0.0.1:{port}:{port}" for port in (settings.port, settings.operations_port)]
    assert all(":" in image.rpartition("/")[2] for name in ("postgres", "kafka") if (image := services[name]["image"]))
    assert (REPOSITORY / DEPLOY / "compose" / service["build"]["context"]).resolve() == REPOSITORY
    assert REPOSITORY / service["build"]["dockerfile"] == CONTAINERFILE


def test_the_image_runs_as_a_user_without_rights_and_is_given_no_secret():
    image = instructions_of_the_image()
    user, group = map(int, image["USER"].split(":"))
    assert user == group == UNPRIVILEGED
    assert f"--uid {user}" in image["RUN"]
    assert not re.search(r"secret|password|token|ARG", CONTAINERFILE.read_text(), re.IGNORECASE)
    assert all(value.startswith("python:3.13-slim") for stage in instructions() for _, value in stage[:1])


def test_the_image_gets_all_that_the_service_needs_and_no_tool_of_developers():
    made = subprocess.run(
        [sys.executable, DEPLOY / "compose/runtime_lock.py", "pyproject.toml", "requirements.lock"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = set(re.findall(r"^([a-z0-9-]+)==", made, re.MULTILINE))
    assert needed_by("tapedeck", set()) - {"tapedeck"} <= names
    assert not {"pytest", "mypy", "ruff", "hypothesis", "playwright", "setuptools"} & names
    lock = (REPOSITORY / "requirements.lock").read_text()
    assert all(entry in lock for entry in re.split(r"^(?=[a-z0-9])", made, flags=re.MULTILINE))


def needed_by(name, extras):
    """All distributions that one needs on this machine, by what is installed; with itself."""
    found, waiting = set(), [(name, frozenset(extras))]
    seen = set()
    while waiting:
        one, its_extras = waiting.pop()
        if (one, its_extras) in seen:
            continue
        seen.add((one, its_extras))
        found.add(re.sub(r"[-_.]+", "-", one).lower())
        for text in requires(one) or []:
            wanted = Requirement(text)
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in (its_extras or {""})):
                waiting.append((wanted.name, frozenset(wanted.extras)))
    return found


@pytest.mark.slow
@pytest.mark.timeout(1_200)  # it installs the service anew
def test_what_the_containerfile_says_makes_a_service_that_runs_is_ready_and_stops(tmp_path, database):
    """In a folder in place of the image's root, with this machine's Python and the tests' own user."""
    build(tmp_path)
    image, (port, operations_port) = instructions_of_the_image(), (free_port(), free_port())
    home = tmp_path / "var/lib/tapedeck"
    home.mkdir(parents=True)
    _, services = composed()
    environment = (
        services["tapedeck"]["environment"]
        | image["ENV"]
        | {
            "PATH": within(image["PATH"].replace("$PATH", os.environ["PATH"]), tmp_path),
            "TAPEDECK_DATA_DIR": str(home / "data"),
            "TAPEDECK_DATABASE_URL": database,
            "TAPEDECK_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
            "TAPEDECK_PORT": str(port),
            "TAPEDECK_OPERATIONS_PORT": str(operations_port),
            "TAPEDECK_DRAIN_SECONDS": "0",
        }
    )
    health = json.loads(image["HEALTHCHECK"].partition("CMD ")[2].replace("9464", str(operations_port)))
    options = {"env": environment, "cwd": home, "stderr": subprocess.PIPE, "text": True}
    program = shutil.which(json.loads(image["CMD"])[0], path=environment["PATH"])
    assert program == str(tmp_path / "opt/tapedeck/bin/tapedeck")
    process = subprocess.Popen([program, *json.loads(image["CMD"])[1:]], **options)
    try:
        deadline = time.monotonic() + SECONDS
        while subprocess.run(
            [shutil.which(health[0], path=environment["PATH"]), *health[1:]], check=False, **options
        ).returncode:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.wait()


def build(folder):
    """Carry out the first stage: copy what it copies, and run what it runs."""
    first, _ = instructions()
    place = folder / dict(first)["WORKDIR"].lstrip("/")
    place.mkdir()
    (folder / "opt").mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for keyword, rest in first:
        if keyword == "COPY":
            *sources, target = rest.split()
            for source in map(REPOSITORY.joinpath, sources):
                if source.is_dir():
                    shutil.copytree(source, place / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, place / target)
        elif keyword == "RUN":
            script = within(rest, folder).replace(" --no-cache-dir", "")  # a cache changes nothing but the time
            ran = subprocess.run(
                ["sh", "-euc", script],
                cwd=place,
                env=os.environ | {"PATH": path},
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALLING_SECONDS,
            )
            assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]


def within(text, folder):
    return text.replace("/opt/", f"{folder}/opt/")

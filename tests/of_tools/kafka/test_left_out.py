"""On a machine without Java, `make test` works and names what it left out; in CI nothing is left out."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.places import REPOSITORY

NEEDS_KAFKA = "tests/adapters/kafka/test_producer.py::test_a_new_topic_is_published_up_to_nothing"
NEEDS_NONE = "tests/service/cli/test_consume.py::test_every_event_is_a_line_with_its_facts"
SENTENCE = "needs a real Kafka: Java is missing: Kafka needs Java 17 or later"


@pytest.fixture
def without_java(tmp_path):
    """An environment whose PATH has no `java`."""
    for command in ("sh", "git"):
        found = shutil.which(command)
        if found is not None:
            (tmp_path / command).symlink_to(found)
    return {name: value for name, value in os.environ.items() if name != "CI"} | {"PATH": str(tmp_path)}


def run_tests(environment):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", NEEDS_KAFKA, NEEDS_NONE]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_without_java_what_needs_a_real_kafka_is_left_out_and_named(without_java):
    ran = run_tests(without_java)
    assert ran.returncode == 0
    assert f"SKIPPED {NEEDS_KAFKA} - Skipped: {SENTENCE}" in ran.stdout
    assert "1 passed, 1 skipped" in ran.stdout


@pytest.mark.slow
def test_in_ci_what_needs_a_real_kafka_is_not_left_out(without_java):
    ran = run_tests(without_java | {"CI": "true"})
    assert ran.returncode == 1
    assert "1 passed, 1 error" in ran.stdout

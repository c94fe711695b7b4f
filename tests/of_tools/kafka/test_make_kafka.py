"""`make kafka`: a Kafka to try things on, which leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys

import pytest
from confluent_kafka.admin import AdminClient

from tests.tools.kafka.broker import KafkaBroker


@pytest.mark.slow
def test_a_kafka_of_ones_own_answers_until_ctrl_c_and_takes_its_data_along(kafka: KafkaBroker, tmp_path):
    assert kafka.is_running  # what it needs is there
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.tools.kafka", "--port", "0"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        servers = re.search(r"TAPEDECK_KAFKA_BOOTSTRAP_SERVERS=(\S+)", running.stdout.readline())[1]
        assert AdminClient({"bootstrap.servers": servers}).list_topics(timeout=60).brokers
        assert [folder.name.startswith("kafka-") for folder in tmp_path.iterdir()] == [True]
    finally:
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate()
    assert (said.splitlines()[-1], running.returncode) == ("Stopped.", 0)
    assert not list(tmp_path.iterdir())

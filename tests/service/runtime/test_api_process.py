"""An API process that cannot serve."""

import os
import socket
import subprocess
import sys
from contextlib import suppress

import orjson

from service.runtime.processes.channel import HELLO
from tests.places import REPOSITORY


def test_why_it_cannot_serve_is_in_the_log_before_the_service_sees_its_end(tmp_path):
    """The service ends a process at once that has closed its channel."""
    (tmp_path / "signing.key").write_bytes(b"damaged")
    ours, its = socket.socketpair()
    log = tmp_path / "log"
    with ours, log.open("wb") as stderr:
        with its:
            process = subprocess.Popen(
                [sys.executable, "-m", "service.runtime.processes.child", str(its.fileno())],
                env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TAPEDECK_DATA_DIR": str(tmp_path)},
                pass_fds=[its.fileno()],
                stderr=stderr,
            )
        hello = {"number": 2, "parent_pid": os.getpid(), "leads": None}
        ours.sendall(orjson.dumps([HELLO, hello]) + b"\n")
        with suppress(ConnectionError):
            while ours.recv(65_536):
                pass
        process.kill()
        process.wait()
    line = orjson.loads(log.read_bytes().splitlines()[0])
    assert (line["level"], line["message"], line["process"]) == ("error", "API process failed", "api-2")
    assert "not a signing key" in line["exception"]

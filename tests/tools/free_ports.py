"""Ports for servers under test, from a range that the system does not assign automatically.

A server that is killed and restarted must find its port free, and so must one that is slow to start: the system might
have given an automatically assigned port to somebody else.
"""

import os
import re
import socket
from itertools import count

FIRST, PER_PROCESS, PROCESSES = 12_000, 4_000, 5
"""Below 32768, where most systems begin to assign ports. Each of pytest's processes has its own ports."""

_its_number = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % PROCESSES
_next = count(os.getpid())


def free_port() -> int:
    """A port of 127.0.0.1 where nothing listens, and which this process has not returned before."""
    for _ in range(PER_PROCESS):
        port = FIRST + PER_PROCESS * _its_number + next(_next) % PER_PROCESS
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("None of the ports for tests is free.")

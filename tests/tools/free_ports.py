"""Ports for servers under test, from a range that the system gives to nobody by itself.

A server that is killed and started again must find its port free, and so must one that takes long to start: a port that
the system had given away would be given to the next who asks.
"""

import os
import re
import socket
from itertools import count

FIRST, PER_PROCESS, PROCESSES = 12_000, 4_000, 5
"""Below 32768, where most systems begin to give ports away. Each of pytest's processes has ports of its own."""

_its_number = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % PROCESSES
_next = count(os.getpid())


def free_port() -> int:
    """One of 127.0.0.1 where nobody listens, and which this process has not given before."""
    for _ in range(PER_PROCESS):
        port = FIRST + PER_PROCESS * _its_number + next(_next) % PER_PROCESS
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("None of the ports for tests is free.")

"""Ports for servers under test, from a range that the system does not assign automatically.

A server that is killed and restarted must find its port free, and so must one that is slow to start: the system might
have given an automatically assigned port to somebody else.
"""

import fcntl
import os
import socket
from functools import cache
from itertools import count

FIRST, PER_PROCESS, PROCESSES = 12_000, 2_000, 10
"""Below 32768, where most systems begin to assign ports. Each process has its own ports, whoever started it."""

LOCKS = "/tmp/tapedeck-ports"  # noqa: S108 - one place for all, whatever their TMPDIR: they have the ports in common

_next = count(os.getpid())


def free_port() -> int:
    """A port of 127.0.0.1 where nothing listens, and which this process has not returned for long."""
    for _ in range(PER_PROCESS):
        port = FIRST + PER_PROCESS * _its_number() + next(_next) % PER_PROCESS
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("None of the ports for tests is free.")


@cache
def _its_number() -> int:
    """Which of the machine's ranges is this process's as long as it lives."""
    for number in range(PROCESSES):
        try:
            lock = os.open(f"{LOCKS}-{number}", os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # another user's
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return number
    raise RuntimeError("All ranges of ports for tests are in use by other processes.")

"""A server for tests on a free loopback port, as a child process: started, stopped, killed, held and started again."""

import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.tools.free_ports import free_port

START_SECONDS = 60
STOP_SECONDS = 30


class DidNotStart(Exception):
    """With the end of the server's log."""


class ChildServer(ABC):
    """`start` it, `stop` or `kill` it, `start` it again: same port, same data. Ends only its own child process."""

    def __init__(self, folder: Path) -> None:
        """`folder`: for its log, and what it stores."""
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    @abstractmethod
    def command(self) -> Sequence[str]:
        """What runs it in the foreground."""

    @property
    def environment(self) -> Mapping[str, str] | None:
        """None: that of this process."""
        return None

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        self.kill()
        raise DidNotStart(f"The server did not start; its log:\n{self._log.read_text(errors='replace')[-3000:]}")

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def hold(self) -> None:
        """Let it hang: it accepts connections, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """Stop it cleanly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

"""Servers for tests as child processes: started, stopped, killed, held and started again."""

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


class ChildProcess:
    """Ends only what it has launched itself. What that says is added to its log."""

    stop_seconds = STOP_SECONDS

    def __init__(self, folder: Path, log_name: str) -> None:
        """`folder`: for its log, and what it stores."""
        self._folder = folder
        self._log = folder / log_name
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def launch(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """`environment`: None for that of this process."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return self._process

    @property
    def last_words(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-3000:]

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
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class ChildServer(ChildProcess, ABC):
    """`start` it, `stop` or `kill` it, `start` it again: same port, same data. Ends only its own child process."""

    def __init__(self, folder: Path) -> None:
        """`folder`: for its log, and what it stores."""
        super().__init__(folder, "server.log")
        self.port = free_port()

    @property
    @abstractmethod
    def command(self) -> Sequence[str]:
        """What runs it in the foreground."""

    @property
    def environment(self) -> Mapping[str, str] | None:
        """None: that of this process."""
        return None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        process = self.launch(self.command, self.environment)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        self.kill()
        raise DidNotStart(f"The server did not start; its log:\n{self.last_words}")

    def hold(self) -> None:
        """Let it hang: it accepts connections, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

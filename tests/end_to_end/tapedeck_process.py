"""A command of tapedeck as a process of its own, which tests can kill and start again."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

STOP_SECONDS = 120


class TapedeckProcess:
    """What it says on stderr is added to `log_file`. `code_dir`: the repository whose code it runs; None: this one."""

    log_file: Path
    code_dir: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    def launch(self, command: Sequence[str], settings: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """`settings`: TAPEDECK_ variables, without the prefix; of those that the tests run with it sees none."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("TAPEDECK_")}
        environment = others | {f"TAPEDECK_{name}": value for name, value in settings.items()}
        if self.code_dir is not None:  # the processes that it starts, too
            environment |= {"PYTHONPATH": str(self.code_dir)}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.code_dir, stdin=subprocess.DEVNULL, stderr=log
            )
        return self.process

    def kill(self) -> None:
        """End it as a power cut would, in the middle of whatever it does."""
        self._end(SIGKILL)

    def stop(self) -> int:
        """Ask it to end; gives its exit code."""
        return self._end(SIGTERM)

    def _end(self, number: Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(STOP_SECONDS)
        self.process = None
        return code

"""A process of the cluster that is started again whenever it has ended, as an init system does."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

import psutil

from tests.end_to_end.tapedeck_process import STOP_SECONDS, TapedeckProcess

_AGAIN_SECONDS = 0.2
_LOOK_SECONDS = 0.05


class Member(TapedeckProcess):
    """`tapedeck COMMAND`, with the processes that it starts. `ends`: how often it ended with which code."""

    def __init__(self, name: str, command: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.command = command
        self.data_dir = folder / name
        self.log_file = folder / f"{name}.log"
        self.settings = {"DATA_DIR": str(self.data_dir)} | dict(settings)
        self.ends: Counter[int] = Counter()
        self.wrong: list[str] = []
        self._launches = 0
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            process = self._launched()
            while (code := process.poll()) is None:
                await asyncio.sleep(_LOOK_SECONDS)
            self.ends[code] += 1
            await asyncio.sleep(_AGAIN_SECONDS)

    def _launched(self) -> "subprocess.Popen[bytes]":
        self._launches += 1
        return self.launch(self.line(), self.settings)

    def line(self) -> Sequence[str]:
        """What is launched."""
        return (sys.executable, "-m", "service.cli", self.command)

    def processes(self) -> list[psutil.Process]:
        """Its own process first, if it runs, and then those that it has started."""
        if self.process is None or self.process.poll() is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.process.pid)
            return [own, *sorted(own.children(recursive=True), key=lambda each: each.pid)]
        return []

    def send(self, processes: list[psutil.Process], number: int) -> None:
        for each in processes:
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    async def hang(self, processes: list[psutil.Process], seconds: float) -> None:
        """They stand still for so long; some may be killed meanwhile by one that watches them."""
        self.send(processes, SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.send(processes, SIGCONT)

    async def restart(self) -> None:
        """Ask it to end, and wait until it has."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        process.send_signal(SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while process.poll() is None:
                    await asyncio.sleep(_LOOK_SECONDS)
            return
        self.wrong.append(f"{self.name} did not end within {STOP_SECONDS} s of SIGTERM")
        process.kill()

    async def restart_with(self, code_dir: Path | None) -> None:
        """Ask it to end, and return when it has been launched with other code."""
        before, self.code_dir = self._launches, code_dir
        await self.restart()
        while self._launches == before:
            await asyncio.sleep(_LOOK_SECONDS)

    async def end(self) -> int:
        """Ask it to end, for good; gives its code."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        return await asyncio.to_thread(self.stop)

    def destroy(self) -> None:
        """End it at once, for good, with all that it has started."""
        if self._keeping is not None:
            self._keeping.cancel()
        self.send(self.processes()[1:], SIGKILL)
        self.kill()


def unexpected(ends: Counter[int]) -> Counter[int]:
    """Without those that were asked for or done to it: SIGTERM may come before it listens to it."""
    return Counter({code: count for code, count in ends.items() if code not in (0, -SIGKILL, -SIGTERM)})

"""What is done to the service while recordings arrive."""

import asyncio
from collections import Counter
from contextlib import suppress
from random import Random

import psutil

from tests.end_to_end.service_process import ServiceProcess

_FAULTS = {"kill": 4, "restart": 1, "pause": 2, "kill a process": 6, "pause a process": 3}
"""How often each is done: `kill` and `pause` are the whole service, `a process` one that recognizes or listens."""

_PAUSE_SECONDS = (0.1, 3.0)
_LONGEST_CALM = 1.5
"""Between two faults, as a multiple of what one recording takes: mostly there is little of it."""


class Faults:
    """Done one after another. `recording_seconds`: what one takes here. `done`: how often each was."""

    def __init__(self, service: ServiceProcess, chance: Random, *, recording_seconds: float) -> None:
        self._service = service
        self._chance = chance
        self._longest_calm = _LONGEST_CALM * recording_seconds
        self.done: Counter[str] = Counter()

    async def next(self) -> None:
        await asyncio.sleep(self._longest_calm * self._chance.random() ** 3)
        (name,) = self._chance.choices(list(_FAULTS), list(_FAULTS.values()))
        if await self._do(name):
            self.done[name] += 1

    async def _do(self, name: str) -> bool:
        """Whether there was anything to do it to."""
        if name == "kill":
            await self._service.restart()
        elif name == "restart":
            await self._restart()
        elif name == "pause":
            await self._pause(self._main())
        else:
            process = self._one_of_its_processes()
            if process is None:
                return False
            await (self._pause(process) if name == "pause a process" else self._kill(process))
        return True

    async def _restart(self) -> None:
        code = await asyncio.to_thread(self._service.stop)
        assert code == 0, f"the service ended with {code} when it was asked to"
        await self._service.start()

    def _main(self) -> psutil.Process:
        assert self._service.process is not None
        return psutil.Process(self._service.process.pid)

    def _one_of_its_processes(self) -> psutil.Process | None:
        found = []
        for process in self._service.workers():
            with suppress(psutil.NoSuchProcess):
                if any("spawn_main" in word for word in process.cmdline()):  # not the tracker of multiprocessing
                    found.append(process)
        return self._chance.choice(found) if found else None

    async def _kill(self, process: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            process.kill()

    async def _pause(self, process: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            await asyncio.sleep(self._chance.uniform(*_PAUSE_SECONDS))
            process.resume()

"""Chunks that are acknowledged with one API process and with two, beside a handler that discards them with as many.

Each client has a connection and a recording of its own, as devices do. All servers run side by side, and are measured
in turns.
"""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.tools.bench.figures import spread
from tests.tools.bench.ingest.load import has_wrk, measure
from tests.tools.bench.ingest.servers import Discarding, Server, Tapedeck
from tests.tools.postgres.server import PostgresServer

ROUNDS = 5
SECONDS = 3
CLIENTS = 16
SIZE_BYTES = 64 * 1024
PROCESSES: Mapping[str, Sequence[int]] = {"embedded": (1, 2), "PostgreSQL": (1,)}
"""Of the API, by profile."""


class SharedDiscarding(Discarding):
    """Several processes on one port."""

    def __init__(self, folder: Path, processes: int) -> None:
        super().__init__(folder)
        self._others: list[subprocess.Popen[bytes]] = []
        self._processes = processes

    def command(self) -> list[str]:
        return [*super().command(), "--shared"]

    def start(self) -> None:
        self._others = [
            subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(1, self._processes)
        ]
        super().start()

    def stop(self) -> None:
        super().stop()
        for process in self._others:
            process.terminate()
            process.wait()

    def pids(self) -> list[int]:
        return [self.pid, *(process.pid for process in self._others)]


@dataclass
class Row:
    """One server, over all rounds. `cpu_us`: of all its processes, per chunk. `busy`: the share of the machine's
    processors that anything used meanwhile."""

    server: Server
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    next_part: int = 0

    def measure(self, folder: Path) -> None:
        before, idle_before, began = cpu_seconds(self.server), idle_seconds(), time.perf_counter()
        measured = measure(
            self.server,
            size_bytes=SIZE_BYTES,
            clients=CLIENTS,
            seconds=SECONDS,
            first_part=self.next_part,
            folder=folder,
            threads=CLIENTS,
        )
        available = (time.perf_counter() - began) * psutil.cpu_count()
        self.busy.append(1 - (idle_seconds() - idle_before) / available)
        self.next_part = measured.last_part
        self.rates.append(measured.rate)
        self.cpu_us.append((cpu_seconds(self.server) - before) / measured.requests * 1e6)


def compare(postgres: PostgresServer) -> None:
    if not has_wrk():
        print("chunks: skipped, the load comes from wrk, which is not installed; on Debian: apt install wrk")
        return
    counts = sorted({count for processes in PROCESSES.values() for count in processes})
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        folder = Path(name)
        discarding = {count: Row(SharedDiscarding(folder / f"discarding {count}", count)) for count in counts}
        ours = {
            (profile, count): Row(service(folder / f"{profile} {count}", profile, count, postgres))
            for profile, processes in PROCESSES.items()
            for count in processes
        }
        rows = [*discarding.values(), *ours.values()]
        try:
            for row in rows:
                row.server.start()
            for number in range(ROUNDS):
                for row in rows if number % 2 else reversed(rows):
                    row.measure(folder)
        finally:
            for row in rows:
                row.server.stop()
    print(f"chunks of {SIZE_BYTES // 1024} KiB, {CLIENTS} clients, {ROUNDS} rounds of {SECONDS} s")
    for (profile, count), row in ours.items():
        show(f"{profile}, {count} API processes", row, discarding[count], ours[profile, PROCESSES[profile][0]])


def service(folder: Path, profile: str, processes: int, postgres: PostgresServer) -> Tapedeck:
    settings = {"API_PROCESSES": str(processes)}
    if profile == "PostgreSQL":
        settings["DATABASE_URL"] = postgres.new_database()
    return Tapedeck(folder, settings, recordings=CLIENTS)


def show(title: str, row: Row, discarding: Row, one: Row) -> None:
    print(f"{title}: {statistics.median(row.rates):.0f} chunks a second, {statistics.median(row.cpu_us):.0f} µs each")
    print(f"  busy of the machine meanwhile               {spread(row.busy)}")
    print(f"  rate, it : discarding with as many          {spread(ratios(row.rates, discarding.rates))}")
    print(f"  processor time, it : discarding             {spread(ratios(row.cpu_us, discarding.cpu_us))}")
    if row is not one:
        print(f"  rate, it : its profile with one             {spread(ratios(row.rates, one.rates))}")


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    return [value / other for value, other in zip(values, others, strict=True)]


def idle_seconds() -> float:
    """Of all processors, since the machine was started; waiting for disks is idle."""
    times = psutil.cpu_times()
    return times.idle + getattr(times, "iowait", 0.0)


def cpu_seconds(server: Server) -> float:
    """Of all its processes; not of PostgreSQL's."""
    pids = server.pids() if isinstance(server, SharedDiscarding) else [server.pid]
    processes = [psutil.Process(pid) for pid in pids]
    processes += [child for process in processes for child in process.children(recursive=True)]
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))

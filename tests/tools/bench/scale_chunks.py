"""Chunks that are acknowledged with one API process and with two, beside a handler that discards them with as many.

Each client has a connection and a recording of its own, as devices do. All servers run side by side, and are measured
in turns. Embedded, a service keeps what it knows in files; scaled out, in a PostgreSQL database and a bucket of the
tests' S3 server, which never syncs: to store an object costs less than where it is durable.

Options: ROUNDS and SECONDS in the environment.
"""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import psutil

from tests.tools.bench.figures import spread
from tests.tools.bench.ingest.load import has_wrk, measure
from tests.tools.bench.ingest.servers import Discarding, Server, Tapedeck
from tests.tools.postgres.server import PostgresServer
from tests.tools.s3.programs import NoS3
from tests.tools.s3.server import CREDENTIALS, S3Server

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS", "3"))
CLIENTS = 16
SIZE_BYTES = 64 * 1024
EMBEDDED, SCALED_OUT = "embedded", "scaled out"
PROCESSES: Mapping[str, Sequence[int]] = {EMBEDDED: (1, 2), SCALED_OUT: (1, 2)}
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
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        folder = Path(name)
        with bucket_server(folder / "s3") as s3:
            measure_all(folder, postgres, s3)


def measure_all(folder: Path, postgres: PostgresServer, s3: S3Server | None) -> None:
    """`s3`: None leaves out the profile that needs it."""
    numbers = {profile: counts for profile, counts in PROCESSES.items() if profile == EMBEDDED or s3 is not None}
    discarding = {
        count: Row(SharedDiscarding(folder / f"discarding {count}", count))
        for count in sorted({count for counts in numbers.values() for count in counts})
    }
    ours = {
        (profile, count): Row(service(folder / f"{profile} {count}", count, stores(profile, postgres, s3)))
        for profile, counts in numbers.items()
        for count in counts
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


@contextmanager
def bucket_server(folder: Path) -> Iterator[S3Server | None]:
    """One that this process may use, and those that it starts; None, and a line that says why, where it cannot run."""
    try:
        server = S3Server(folder)
    except NoS3 as missing:
        print(f"chunks, {SCALED_OUT}: skipped, {missing}")
        yield None
        return
    with patch.dict(os.environ, CREDENTIALS):
        server.start()
        try:
            yield server
        finally:
            server.stop()


def stores(profile: str, postgres: PostgresServer, s3: S3Server | None) -> dict[str, str]:
    """The settings that say where a service keeps what it knows: a database and a bucket of its own, or its files."""
    if profile == EMBEDDED or s3 is None:
        return {}
    return {
        "DATABASE_URL": postgres.new_database(),
        "BLOB_URL": f"{s3.new_bucket()}/tapes?endpoint={s3.endpoint}",
    }


def service(folder: Path, processes: int, stores: Mapping[str, str]) -> Tapedeck:
    return Tapedeck(folder, {"API_PROCESSES": str(processes), **stores}, recordings=CLIENTS)


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
    """Of all its processes; not of PostgreSQL's or the bucket's."""
    pids = server.pids() if isinstance(server, SharedDiscarding) else [server.pid]
    processes = [psutil.Process(pid) for pid in pids]
    processes += [child for process in processes for child in process.children(recursive=True)]
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))

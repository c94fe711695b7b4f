"""`make bench-ingest`: what a durable PUT costs beside servers that promise less, alternating in one run.

Only the ratios mean anything on another machine. Options: ROUNDS, SECONDS, SIZES_KIB and CLIENTS in the environment,
the last two as comma-separated lists; BEFORE=COMMIT: also beside the service as it was at that commit.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.tools.bench.ingest.load import Measured, has_wrk, measure
from tests.tools.bench.ingest.paced import paced
from tests.tools.bench.ingest.raw_append import appended_a_second
from tests.tools.bench.ingest.servers import (
    Before,
    Digesting,
    Discarding,
    Nginx,
    Server,
    SyncingNginx,
    Tapedeck,
    can_sync_nginx,
    has_nginx,
)

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS", "3"))
SIZES_KIB = [int(size) for size in os.environ.get("SIZES_KIB", "4,64,1024,16384").split(",") if size]
CLIENTS = [int(count) for count in os.environ.get("CLIENTS", "1,16,256").split(",")]
MOST_BYTES_AT_ONCE = 1024**3
"""Combinations of size and number of clients whose bodies together exceed this are skipped."""


@dataclass
class Row:
    """One server at one size and number of clients, over all rounds. `cpu_us`: of its process, per request."""

    measured: list[Measured] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Commits:
    count: float
    events: float
    bytes: float


def main() -> None:
    if not has_wrk():
        sys.exit("The load comes from wrk, which is not installed; on Debian: apt install wrk")
    kinds: list[type[Server]] = [Discarding, Digesting]
    if has_nginx():
        kinds.append(Nginx)
        if can_sync_nginx():
            kinds.append(SyncingNginx)
        else:
            print("nginx, synced: skipped, this file system has no synchronous directories (chattr +S)")
    else:
        print("nginx: skipped, it is not installed; on Debian: apt install nginx-light")
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        tapedeck = Tapedeck(Path(folder) / "tapedeck")
        servers: list[Server] = [tapedeck, *(kind(Path(folder) / kind.__name__) for kind in kinds)]
        if commit := os.environ.get("BEFORE"):
            servers.insert(1, Before(Path(folder) / "before", commit))
        try:
            for server in servers:
                server.start()
            for size_kib in SIZES_KIB:
                for clients in CLIENTS:
                    if size_kib * 1024 * clients <= MOST_BYTES_AT_ONCE:
                        compare(servers, Path(folder), size_kib * 1024, clients)
            asyncio.run(at_half_of_the_rate(tapedeck, Path(folder)))
        finally:
            for server in servers:
                server.stop()


def compare(servers: Sequence[Server], folder: Path, size_bytes: int, clients: int) -> None:
    rows = {server.name: Row() for server in servers}
    raw = []
    before = commits(servers[0])
    for _ in range(ROUNDS):
        for server in servers:
            row, spent = rows[server.name], cpu_seconds(server)
            measured = measure(
                server,
                size_bytes=size_bytes,
                clients=clients,
                seconds=SECONDS,
                first_part=next_part(server),
                folder=folder,
            )
            row.measured.append(measured)
            row.cpu_us.append((cpu_seconds(server) - spent) / max(1, measured.requests) * 1e6)
        raw.append(appended_a_second(folder, size_bytes=size_bytes, at_a_time=clients, seconds=SECONDS / 3))
    after = commits(servers[0])
    print(f"\n{size_bytes // 1024} KiB, {clients} clients, {ROUNDS} rounds of {SECONDS} s")
    print(
        f"  {'':<20}{'a second':>9}{'p50 ms':>9}{'p99 ms':>9}{'cpu µs':>8}{'MB':>6}   "
        f"{'rate, tapedeck : it':<30}cpu, tapedeck : it"
    )
    ours = rows[servers[0].name]
    for server in servers:
        row = rows[server.name]
        ratios = [
            mine.rate / its.rate
            for mine, its in zip(ours.measured, row.measured, strict=True)
            if its.requests  # the slowest may not finish a single large body in its time
        ]
        costs = [mine / its for mine, its in zip(ours.cpu_us, row.cpu_us, strict=True) if its]
        print(
            f"  {server.name:<20}{median(each.rate for each in row.measured):>9.0f}"
            f"{median(each.p50_ms for each in row.measured):>9.1f}{median(each.p99_ms for each in row.measured):>9.1f}"
            f"{median(row.cpu_us):>8.0f}{server.memory_bytes() / 1e6:>6.0f}   "
            f"{spread(ratios):<30}{spread(costs)}"
        )
    ratios = [mine.rate / its for mine, its in zip(ours.measured, raw, strict=True)]
    print(f"  {'append + fdatasync':<20}{statistics.median(raw):>9.0f}{'':>32}   {spread(ratios)}")
    count = max(1.0, after.count - before.count)
    print(
        f"  per commit: {(after.events - before.events) / count:.1f} events, "
        f"{(after.bytes - before.bytes) / count:,.0f} bytes"
    )
    for server in servers:
        server.forget_bodies()


async def at_half_of_the_rate(server: Tapedeck, folder: Path) -> None:
    """How long an answer takes at half of the highest rate, also while a recording is transcribed."""
    size_bytes = 64 * 1024
    os.sync()  # what earlier measurements left in memory would be written during this one
    highest = await asyncio.to_thread(
        measure, server, size_bytes=size_bytes, clients=16, seconds=SECONDS, first_part=0, folder=folder
    )
    print(f"\n64 KiB at half of the highest rate ({highest.rate / 2:.0f} a second), 16 clients")

    async def rounds() -> list[Measured]:
        return [
            await paced(
                server, size_bytes=size_bytes, rate=highest.rate / 2, seconds=SECONDS, first_part=next_part(server)
            )
            for _ in range(ROUNDS)
        ]

    alone = await rounds()
    await server.begin_transcribing(recordings=ROUNDS * SECONDS)
    beside = await rounds()
    show_paced("alone", alone)
    show_paced(
        "a transcription beside it" if await server.is_transcribing() else "a transcription, which ended", beside
    )
    ratios = [busy.p99_ms / quiet.p99_ms for busy, quiet in zip(beside, alone, strict=True)]
    print(f"  p99 beside a transcription : alone   {spread(ratios)}")


def show_paced(title: str, measured: Sequence[Measured]) -> None:
    shares = [each.p99_ms / each.p50_ms for each in measured]
    p50, p99 = median(each.p50_ms for each in measured), median(each.p99_ms for each in measured)
    print(f"  {title}: p50 {p50:.1f} ms, p99 {p99:.1f} ms   p99 : p50   {spread(shares)}")


_parts: dict[str, int] = {}


def next_part(server: Server) -> int:
    """The first of the numbers that no request has had yet."""
    _parts[server.path] = _parts.get(server.path, 0) + 60_000
    return _parts[server.path]


def cpu_seconds(server: Server) -> float:
    times = psutil.Process(server.pid).cpu_times()
    return times.user + times.system


def commits(server: Server) -> Commits:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        lines = answer.read().decode().splitlines()

    def value(name: str) -> float:
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    return Commits(
        value("tapedeck_log_commits_total"),
        value("tapedeck_log_events_total"),
        value("tapedeck_log_bytes_per_commit_sum"),
    )


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def spread(ratios: Sequence[float]) -> str:
    if not ratios:
        return "-"
    return f"{statistics.median(ratios):.2f}   (min {min(ratios):.2f}, max {max(ratios):.2f})"


if __name__ == "__main__":
    main()

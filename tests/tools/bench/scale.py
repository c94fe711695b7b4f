"""`make bench-scale`: how many events a second several processes append to the log in PostgreSQL, and how many chunks a
second are acknowledged with one API process and with two (`scale_chunks`).

Beside the log, in turns within one run, the same processes insert the same rows with the same number a commit into a
table that gives them numbers in no order that a reader could rely on: no lock, no check of versions, nobody told.
"""

import statistics
import subprocess
import sys

import psycopg

from adapters.event_log.postgres import PostgresLogRecorder
from tests.places import REPOSITORY
from tests.tools.bench import scale_chunks
from tests.tools.bench.figures import spread
from tests.tools.bench.scale_writer import BARE_TABLE
from tests.tools.postgres.server import PostgresServer

WRITERS = (1, 2, 4, 8)
COMMITS = 120
"""Of all writers together, in one round."""
EVENTS_A_COMMIT = 256
ROUNDS = 5

SETTINGS = """\
shared_buffers = 512MB
max_wal_size = 4GB
"""


def main() -> None:
    server = PostgresServer(settings=SETTINGS).start()
    try:
        print(f"{EVENTS_A_COMMIT} events a commit, {ROUNDS} rounds, PostgreSQL on this machine with the writers")
        for writers in WRITERS:
            measure(server, writers)
        scale_chunks.compare(server)
    finally:
        server.close()


def measure(server: PostgresServer, writers: int) -> None:
    url = server.new_database()
    PostgresLogRecorder(url).close()
    with psycopg.connect(url) as connection:
        connection.execute(BARE_TABLE)
    rates: dict[str, list[float]] = {"bare": [], "log": []}
    for number in range(ROUNDS):
        for kind in ("bare", "log") if number % 2 else ("log", "bare"):
            rates[kind].append(events_a_second(url, kind, writers))
    server.drop_database(url)
    ratios = [log / bare for log, bare in zip(rates["log"], rates["bare"], strict=True)]
    print(f"{writers} writers: {statistics.median(rates['log']):.0f} events a second")
    print(f"  log : bare insert                          {spread(ratios)}", flush=True)


def events_a_second(url: str, kind: str, writers: int) -> float:
    """From the moment when all are connected until the last has ended."""
    commits = max(1, COMMITS // writers)
    command = [sys.executable, "-m", "tests.tools.bench.scale_writer", url, kind, str(commits), str(EVENTS_A_COMMIT)]
    processes = [
        subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(writers)
    ]
    try:
        for process in processes:
            process.stdout.readline()
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        spans = [tuple(map(float, process.communicate()[0].split())) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return writers * commits * EVENTS_A_COMMIT / (max(end for _, end in spans) - min(start for start, _ in spans))


if __name__ == "__main__":
    main()

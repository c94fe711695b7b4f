"""`make bench-scale`: how many events a second several processes append to the log in PostgreSQL, how far behind a
process is that follows it (`scale_log`), and how many chunks a second are acknowledged with one API process and with
two, in each profile (`scale_chunks`).

Beside the log, in turns within one run, the same processes insert the same rows with the same number a commit into a
table that gives them numbers in no order that a reader could rely on: no lock, no check of versions, nobody told.

Nobody follows the log meanwhile. Lag is measured in runs of its own in the same round, on a database of its own: the
writers go half as fast as they just did without a follower, and then as fast as they can. It is printed in
milliseconds, from when a commit's writer had the answer until a follower in another process was told of the commit,
and until it had read and decoded all of its events.

Options: WRITERS, a comma-separated list, ROUNDS, COMMITS and SECONDS in the environment.
"""

import os
import statistics

import psycopg

from adapters.event_log.postgres import PostgresLogRecorder
from tests.tools.bench import scale_chunks
from tests.tools.bench.figures import percentiles_ms, spread
from tests.tools.bench.scale_log import Lag, Load, events_a_second, lag
from tests.tools.bench.scale_writer import BARE_TABLE
from tests.tools.postgres.server import PostgresServer

WRITERS = [int(count) for count in os.environ.get("WRITERS", "1,2,4,8").split(",") if count]
COMMITS = int(os.environ.get("COMMITS", "120"))
"""Of all writers together, in one run of a round."""
EVENTS_A_COMMIT = 256
ROUNDS = int(os.environ.get("ROUNDS", "5"))

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
    url, followed_url = server.new_database(), server.new_database()
    for each in (url, followed_url):
        PostgresLogRecorder(each).close()
    with psycopg.connect(url) as connection:
        connection.execute(BARE_TABLE)
    load = Load(writers, max(1, COMMITS // writers), EVENTS_A_COMMIT)
    rates: dict[str, list[float]] = {"bare": [], "log": []}
    at_half_speed, at_full_speed = Lag(), Lag()
    for number in range(ROUNDS):
        for kind in ("bare", "log") if number % 2 else ("log", "bare"):
            rates[kind].append(events_a_second(url, kind, load))
        at_half_speed.add(lag(followed_url, load.at(rates["log"][-1] / 2)))
        at_full_speed.add(lag(followed_url, load))
    for each in (url, followed_url):
        server.drop_database(each)
    ratios = [log / bare for log, bare in zip(rates["log"], rates["bare"], strict=True)]
    print(f"{writers} writers: {statistics.median(rates['log']):.0f} events a second")
    print(f"  log : bare insert                          {spread(ratios)}")
    show("half speed", at_half_speed)
    show("full speed", at_full_speed)


def show(speed: str, lag: Lag) -> None:
    print(f"  commit until a follower is told, {speed} {percentiles_ms(lag.told_ms)}")
    print(f"  commit until it has read, {speed}        {percentiles_ms(lag.read_ms)}", flush=True)


if __name__ == "__main__":
    main()

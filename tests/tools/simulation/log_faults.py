"""Faults of the event log in PostgreSQL, which its contract suite and its own tests must notice."""

from functools import partial

from tests.tools.simulation.planted_fault import LOG_TESTS, Fault

_FUNCTION = "adapters/event_log/postgres_schema.py"
_RECORDER = "adapters/event_log/postgres.py"
_CONNECTIONS = "adapters/postgres/connections.py"
_LOCK = "    PERFORM pg_advisory_xact_lock(128021077032962);\n"
_HEAD = "    SELECT coalesce(max(position), 0) INTO head FROM tapedeck.stored_events;\n"
_NUMBERED = "            head := head + counts[number];\n"

_log_fault = partial(Fault, tests=LOG_TESTS)

LOG_FAULTS = (
    _log_fault("the log's lock is not held", _FUNCTION, _LOCK, ""),
    _log_fault(
        "the log's lock is let go before the commit",
        _FUNCTION,
        _LOCK,
        "    PERFORM pg_advisory_lock(128021077032962), pg_advisory_unlock(128021077032962);\n",
    ),
    _log_fault("the log's head is read before the lock is held", _FUNCTION, _LOCK + _HEAD, _HEAD + _LOCK),
    _log_fault("positions are not dense: a conflict takes some", _FUNCTION, _NUMBERED, _NUMBERED * 2),
    _log_fault(
        "positions are not dense: each commit leaves one out",
        _FUNCTION,
        "coalesce(max(position), 0) INTO head",
        "coalesce(max(position) + 1, 0) INTO head",
    ),
    _log_fault(
        "the version of a stream is not checked",
        _FUNCTION,
        "IF versions[streams[number]] = expected[number] THEN",
        "IF versions[streams[number]] <= expected[number] THEN",
    ),
    _log_fault("nobody hears of a commit", _FUNCTION, "PERFORM pg_notify('tapedeck_log', head::text);", "NULL;"),
    _log_fault("a commit whose answer was lost is taken for a conflict", _RECORDER, "calls > 1", "calls > 9"),
    _log_fault(
        "a commit found in the log is acknowledged before the standbys have it",
        _RECORDER,
        "_only_row(connection, _ALL_BEFORE_IS_SAFE)",
        "None",
    ),
    _log_fault(
        "nobody gives up a server that is stopped", _CONNECTIONS, "connection.answer_seconds = ANSWER", "_ = ANSWER"
    ),
    _log_fault("what a lost connection was doing takes effect later", _CONNECTIONS, "if self._lost:", "if False:"),
)

"""Faults of the event log in PostgreSQL, which its contract suite and its own tests must notice."""

from functools import partial

from tests.tools.simulation.planted_fault import LOG_TESTS, Fault

_FUNCTION = "adapters/event_log/postgres_schema.py"
_RECORDER = "adapters/event_log/postgres.py"
_CONNECTIONS = "adapters/postgres/connections.py"
_BECAUSE = "    -- The lock of append_events_1, for the same reasons.\n"
_LOCK = _BECAUSE + "    PERFORM pg_advisory_xact_lock(128021077032962);\n"
# Of the older function: where the newer one is without its lock, an index refuses what would be wrong.
_OLDER_LOCK = (
    "    -- sees all earlier commits: in a READ COMMITTED transaction each statement of the function looks anew.\n"
    "    PERFORM pg_advisory_xact_lock(128021077032962);\n"
)
_THERE = """    IF cardinality(there_ids) > 0 AND EXISTS (
        SELECT FROM unnest(there_ids, there_versions) AS there (id, number)
         WHERE (SELECT version FROM tapedeck.stored_events
                 WHERE stream_id = there.id AND version = there.number) IS NULL
    ) THEN
        RETURN NULL;
    END IF;
"""
_UNKNOWN = "version = there.number) IS NULL"
_HEAD = "    SELECT coalesce(max(position), 0) INTO head FROM tapedeck.stored_events;\n"
_NUMBERED = "            head := head + counts[number];\n"

_log_fault = partial(Fault, tests=LOG_TESTS)

LOG_FAULTS = (
    _log_fault("the log's lock is not held", _FUNCTION, _LOCK, ""),
    _log_fault(
        "the log's lock is let go before the commit",
        _FUNCTION,
        _OLDER_LOCK,
        "    PERFORM pg_advisory_lock(128021077032962), pg_advisory_unlock(128021077032962);\n",
    ),
    _log_fault("the log's head is read before the lock is held", _FUNCTION, _OLDER_LOCK + _HEAD, _HEAD + _OLDER_LOCK),
    _log_fault("positions are not dense: a conflict takes some", _FUNCTION, _NUMBERED, _NUMBERED * 2),
    _log_fault(
        "positions are not dense: each commit leaves one out",
        _FUNCTION,
        _THERE + _HEAD,
        _THERE + _HEAD.replace("max(position)", "max(position) + 1"),
    ),
    _log_fault(
        "the version of a stream is not checked",
        _FUNCTION,
        "IF versions[streams[number]] = expected[number] THEN",
        "IF versions[streams[number]] <= expected[number] THEN",
    ),
    _log_fault("it is not checked that what is appended follows", _FUNCTION, _UNKNOWN, _UNKNOWN + " AND false"),
    _log_fault(
        "a stream that has gone on is appended to",
        _FUNCTION,
        "WHEN unique_violation THEN",
        "WHEN division_by_zero THEN",
    ),
    _log_fault(
        "nobody hears of a commit",
        _FUNCTION,
        "    PERFORM pg_notify('tapedeck_log', head::text);\n    RETURN head;",
        "    RETURN head;",
    ),
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

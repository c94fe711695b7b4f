"""The tables of webhooks. Times are whole microseconds since 1970, UTC."""

_FIRST = (
    """CREATE TABLE IF NOT EXISTS endpoints (
        id TEXT PRIMARY KEY NOT NULL,
        project_id TEXT NOT NULL,
        url TEXT NOT NULL,
        events TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        after_position INTEGER NOT NULL,
        failing_since INTEGER,
        secret BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS messages (
        event_id TEXT PRIMARY KEY NOT NULL,
        type TEXT NOT NULL,
        recording_id BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS messages_by_age ON messages (created_at)",
    """CREATE TABLE IF NOT EXISTS deliveries (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        endpoint_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        recording_id BLOB NOT NULL,
        state TEXT NOT NULL,
        tries INTEGER NOT NULL,
        next_at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX IF NOT EXISTS deliveries_by_endpoint ON deliveries (endpoint_id, sequence)",
    "CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event_id)",
    "CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (endpoint_id, next_at) WHERE state='pending'",
    """CREATE INDEX IF NOT EXISTS deliveries_unfinished ON deliveries (endpoint_id, recording_id, sequence)
        WHERE state IN ('waiting', 'pending')""",
    """CREATE TABLE IF NOT EXISTS attempts (
        sequence INTEGER NOT NULL,
        number INTEGER NOT NULL,
        began_at INTEGER NOT NULL,
        ended_at INTEGER NOT NULL,
        status_code INTEGER,
        response_body TEXT,
        error TEXT,
        PRIMARY KEY (sequence, number)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS webhook_position (position INTEGER NOT NULL) STRICT",
)

SCHEMA_VERSIONS = (_FIRST,)
"""The statements that lead to each version, from the one before."""

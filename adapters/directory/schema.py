"""The tables of the directory's file. Times are whole microseconds since 1970, UTC.

`sequence` is an entry's place in lists. `scrub_due` has a row from the deletion of personal data until none of its
bytes are left in the file.
"""

_FIRST = (
    """CREATE TABLE end_users (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        project_id TEXT NOT NULL,
        id TEXT NOT NULL,
        external_id TEXT,
        email TEXT,
        name TEXT,
        metadata BLOB,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX end_users_by_id ON end_users (project_id, id)",
    "CREATE UNIQUE INDEX end_users_by_external_id ON end_users (project_id, external_id) WHERE external_id IS NOT NULL",
    "CREATE INDEX end_users_by_place ON end_users (project_id, sequence)",
    """CREATE TABLE devices (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        project_id TEXT NOT NULL,
        id TEXT NOT NULL,
        serial_number TEXT NOT NULL,
        model TEXT NOT NULL,
        name TEXT,
        firmware_version TEXT,
        metadata BLOB NOT NULL,
        end_user_id TEXT,
        binding_generation INTEGER NOT NULL,
        battery_percent INTEGER,
        storage_used_mb INTEGER,
        storage_total_mb INTEGER,
        signal_strength_dbm INTEGER,
        recording_state TEXT,
        last_heartbeat_at INTEGER,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX devices_by_id ON devices (project_id, id)",
    "CREATE UNIQUE INDEX devices_by_serial_number ON devices (project_id, serial_number)",
    "CREATE INDEX devices_by_place ON devices (project_id, sequence)",
    "CREATE INDEX devices_by_end_user ON devices (project_id, end_user_id, sequence)",
    "CREATE TABLE scrub_due (due INTEGER PRIMARY KEY) STRICT",
)

SCHEMA_VERSIONS = (_FIRST,)
"""The statements that lead to each version, from the one before."""

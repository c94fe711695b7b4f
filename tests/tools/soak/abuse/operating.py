"""The settings of the service under attack, as a careful operator sets them whose tenants are not known to be honest,
and the bounds that follow from them."""

import os

MEBIBYTE = 1024 * 1024
WORKERS = max(1, (os.cpu_count() or 2) - 1)
"""As the service itself chooses: a core is left for everything else that it does."""
MAX_CHUNKS = 200
QUOTA_BYTES = 48 * MEBIBYTE
HELD_BYTES = 128 * MEBIBYTE
WORKER_MEMORY_BYTES = 512 * MEBIBYTE

SETTINGS = {
    "WORKERS": str(WORKERS),
    "LOG_LEVEL": "ERROR",
    "DORSUM_SECONDS": "55",
    "REQUESTS_PER_MINUTE": "1200",
    "MAX_CHUNKS": str(MAX_CHUNKS),
    "MAX_RECORDING_HOURS": "4",
    "HELD_BYTES": str(HELD_BYTES),
    "WORKER_MEMORY_BYTES": str(WORKER_MEMORY_BYTES),
    "QUOTA_BYTES": str(QUOTA_BYTES),
    "QUOTA_OPEN_RECORDINGS": "50",
    "QUOTA_WEBHOOKS": "20",
    "QUOTA_END_USERS": "100",
    "QUOTA_DEVICES": "100",
}

MOST_SERVICE_BYTES = 256 * MEBIBYTE + 2 * HELD_BYTES
"""What the process has anyway, and what it holds, which may be there twice while it is taken over."""
MOST_WORKER_BYTES = 320 * MEBIBYTE + WORKER_MEMORY_BYTES
"""The loaded speech model, and what one recording may take."""

MOST_KEPT_BYTES = QUOTA_BYTES * 11 // 10 * 2
"""By one project: its quota and a tenth in what it sent, and at most as much again in what was made of that."""
MOST_BESIDE_BYTES = 256 * MEBIBYTE
"""On the disk beside what projects keep: the log, the views, and erased bytes that share a segment with others."""


def most_disk_bytes(projects: int) -> int:
    return projects * MOST_KEPT_BYTES + MOST_BESIDE_BYTES

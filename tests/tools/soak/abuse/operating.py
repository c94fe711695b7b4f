"""The settings of the service under attack, and the bounds that follow from them."""

from tests.tools.peak_memory import MEBIBYTE
from tests.tools.soak.abuse.findings import Bounds

WORKERS = 2
SETTINGS = {
    "WORKERS": str(WORKERS),
    "LOG_LEVEL": "WARNING",
    "DORSUM_SECONDS": "55",
    "REQUESTS_PER_MINUTE": "1200",
}
"""As a careful operator sets them who has tenants that are not known to be honest."""

BOUNDS = Bounds(service_bytes=1024 * MEBIBYTE, worker_bytes=1024 * MEBIBYTE, disk_bytes=2048 * MEBIBYTE)

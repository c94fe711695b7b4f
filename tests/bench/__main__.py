"""`make bench`: measurements as ratios within one run, on this machine. Figures in documents come from here.

`make bench ARGS=deciding` runs one of them; without a name, all.
"""

import asyncio
import sys

from tests.bench import deciding, replaying, uploading

BENCHES = {
    "deciding": deciding.measure,
    "replaying": replaying.measure,
    "uploading": lambda: asyncio.run(uploading.measure()),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()

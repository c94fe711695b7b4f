"""What npm has for tests: fetched once by a lock file and kept in a folder of the repository.

The `package-lock.json` has the digest of whatever is fetched, and no address: npm asks the registry that it is set up
for. No script of a package is run.
"""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

FETCHING_SECONDS = 540


def fetched(npm: str, manifests: Path, kept_in: Path) -> Path:
    """The folder `node_modules` for a folder's two manifests. Raises: AssertionError, with npm's own words."""
    sources = [manifests / name for name in ("package.json", "package-lock.json")]
    version = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    folder = kept_in / version
    kept_in.mkdir(exist_ok=True)
    with (kept_in / "lock").open("w") as lock:  # the tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = kept_in / f"{version}.part"
            unfinished.mkdir(exist_ok=True)
            for source in sources:
                shutil.copy(source, unfinished)
            ran = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=unfinished,
                capture_output=True,
                text=True,
                check=False,
                timeout=FETCHING_SECONDS,
            )
            assert ran.returncode == 0, ran.stderr
            unfinished.rename(folder)
    return folder / "node_modules"

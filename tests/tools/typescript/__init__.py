"""TypeScript's compiler, which only checks types here: fetched once with npm and kept in `.typescript/`.

`package-lock.json` has the digest of what is fetched, and no address: npm asks the registry that it is set up for.
"""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.places import REPOSITORY

FOLDER = REPOSITORY / ".typescript"
FETCHING_SECONDS = 540

_SOURCES = [Path(__file__).with_name(name) for name in ("package.json", "package-lock.json")]


def fetched(npm: str) -> Path:
    """The compiler, a program for node. Raises: AssertionError, with npm's own words."""
    version = hashlib.sha256(b"".join(source.read_bytes() for source in _SOURCES)).hexdigest()[:12]
    folder = FOLDER / version
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:  # the tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = FOLDER / f"{version}.part"
            unfinished.mkdir(exist_ok=True)
            for source in _SOURCES:
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
    return folder / "node_modules" / "typescript" / "lib" / "tsc.js"

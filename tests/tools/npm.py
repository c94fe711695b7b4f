"""What npm has for tests: fetched once by a lock file and kept in a folder of the repository.

The `package-lock.json` has the digest of whatever is fetched, and no address: npm asks the registry that it is set up
for. No script of a package is run.
"""

import shutil
import subprocess
from pathlib import Path

from tests.tools.kept import kept

FETCHING_SECONDS = 540


def fetched(npm: str, manifests: Path, kept_in: Path) -> Path:
    """The folder `node_modules` for a folder's two manifests. Raises: AssertionError, with npm's own words."""
    sources = [manifests / name for name in ("package.json", "package-lock.json")]

    def fetch(unfinished: Path) -> None:
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

    return kept(kept_in, sources, fetch) / "node_modules"

"""`python -m tests.tools.typescript`: fetches the compiler, so that no test has to wait for it."""

import shutil
import sys

from tests.tools.typescript import fetched

if __name__ == "__main__":
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("TypeScript is fetched with npm (npm); install it first.")
    fetched(npm)

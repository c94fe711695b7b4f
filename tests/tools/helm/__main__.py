"""`python -m tests.tools.helm`: builds Helm and the reader, so that no test has to wait for them."""

import shutil
import sys

from tests.tools.helm.programs import built

if __name__ == "__main__":
    go = shutil.which("go")
    if go is None:
        sys.exit("Helm is built with Go (go); install it first.")
    built(go)

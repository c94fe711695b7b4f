"""`python -m tests.tools.promql`: builds the parser, so that no test has to wait for it."""

import shutil
import sys

from tests.tools.promql import built

if __name__ == "__main__":
    go = shutil.which("go")
    if go is None:
        sys.exit("Prometheus' parser is built with Go (go); install it first.")
    built(go)

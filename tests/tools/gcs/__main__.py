"""`python -m tests.tools.gcs`: builds the server, so that no test has to wait for it."""

import sys

from tests.tools.gcs.programs import NoGcs, program

if __name__ == "__main__":
    try:
        program()
    except NoGcs as missing:
        sys.exit(str(missing))

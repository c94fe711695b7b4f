"""`python -m tests.tools.azure`: fetches the server, so that no test has to wait for it."""

import sys

from tests.tools.azure.programs import NoAzure, program

if __name__ == "__main__":
    try:
        program()
    except NoAzure as missing:
        sys.exit(str(missing))

"""TypeScript's compiler, which only checks types here: fetched once with npm and kept in `.typescript/`."""

from pathlib import Path

from tests.places import REPOSITORY
from tests.tools import npm

FOLDER = REPOSITORY / ".typescript"


def fetched(command: str) -> Path:
    """The compiler, a program for node. `command`: npm's. Raises: AssertionError, with npm's own words."""
    return npm.fetched(command, Path(__file__).parent, FOLDER) / "typescript" / "lib" / "tsc.js"

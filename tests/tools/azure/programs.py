"""The server's program: fetched once with npm and kept in `.azurite/`."""

import shutil
from pathlib import Path

from tests.places import REPOSITORY
from tests.tools import npm

FOLDER = REPOSITORY / ".azurite"


class NoAzure(Exception):
    """The server cannot run on this machine. One sentence that says what is missing."""


def program() -> tuple[str, str]:
    """The beginning of its command: node, and what node is to run. Raises: NoAzure."""
    node, command = shutil.which("node"), shutil.which("npm")
    if node is None or command is None:
        raise NoAzure("Node.js is missing: `npm` fetches the server Azurite, and `node` runs it.")
    try:
        packages = npm.fetched(command, Path(__file__).parent, FOLDER)
    except AssertionError as error:
        raise NoAzure(f"npm could not fetch Azurite: {str(error)[-2000:]}") from error
    return node, str(packages / "azurite" / "dist" / "src" / "blob" / "main.js")

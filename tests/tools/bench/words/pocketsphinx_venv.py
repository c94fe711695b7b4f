"""The environment for `pocketsphinx_reference`, created on first use: the service's own has no pocketsphinx."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[3] / ".bench-words"
REQUIREMENTS = Path(__file__).with_name("pocketsphinx.lock")
SCRIPT = Path(__file__).with_name("pocketsphinx_reference.py")
PYTHON = FOLDER / "bin" / "python"

_MADE_WITH = FOLDER / "made-with.lock"


def is_ready() -> bool:
    """Whether the environment exists; created now if need be, which does not work offline."""
    if _MADE_WITH.is_file() and _MADE_WITH.read_bytes() == REQUIREMENTS.read_bytes():
        return True
    print(f"Setting up {FOLDER.name} with pocketsphinx (once) ...", file=sys.stderr)
    install = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    for step in ([sys.executable, "-m", "venv", "--clear", FOLDER], [*install, "-r", REQUIREMENTS]):
        if subprocess.run(step, check=False).returncode != 0:
            return False
    _MADE_WITH.write_bytes(REQUIREMENTS.read_bytes())
    return True

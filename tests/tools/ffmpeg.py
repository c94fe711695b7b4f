"""FFmpeg's own command line, as a distribution has it: an opinion on a file that owes nothing to PyAV's build of it."""

import shutil
import subprocess
from pathlib import Path

from tests.left_out import skip_outside_ci


def needs_ffmpeg() -> None:
    """Skip the test where `ffmpeg` or `ffprobe` is not installed; in CI nothing is left out.

    Raises: FileNotFoundError, in CI.
    """
    missing = [name for name in ("ffmpeg", "ffprobe") if shutil.which(name) is None]
    if not missing:
        return
    sentence = f"needs the command {missing[0]} (Debian: apt-get install ffmpeg)"
    skip_outside_ci(sentence)
    raise FileNotFoundError(sentence)


def complaints(file: Path, *, start_seconds: float | None = None) -> str:
    """What `ffmpeg -v error` says while it plays the file to its end, or from `start_seconds` on; "" for nothing."""
    seek = [] if start_seconds is None else ["-ss", f"{start_seconds:.3f}"]
    command = ["ffmpeg", "-nostdin", "-v", "error", *seek, "-i", str(file), "-f", "null", "-"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.stderr if ran.returncode == 0 else ran.stderr + f"ended with {ran.returncode}"


def told_seconds(file: Path) -> float | None:
    """The duration that `ffprobe` reads from the container; None where it says none."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return None if said in ("", "N/A") else float(said)

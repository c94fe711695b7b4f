"""How sizes, durations, digests and times are written for a person."""

from datetime import datetime

_KIB = 1024
SHORT_DIGEST = 12


def size(size_bytes: int) -> str:
    """Write a number of bytes: `912 B`, `58.1 KiB`, `1.2 GiB`."""
    if size_bytes < _KIB:
        return f"{size_bytes} B"
    amount = float(size_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= _KIB
        if amount < _KIB:
            return f"{amount:.1f} {unit}"
    return f"{amount / _KIB:.1f} TiB"


def duration(duration_ms: int) -> str:
    """Write a duration: `850 ms`, `7.25 s`, `12:05.300`, `1:02:03.000`."""
    seconds, ms = divmod(duration_ms, 1000)
    if seconds == 0:
        return f"{ms} ms"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}.{ms:03}"
    if minutes:
        return f"{minutes}:{seconds:02}.{ms:03}"
    return f"{duration_ms / 1000:.2f} s"


def digest(hex_digest: str) -> str:
    """Write enough of a digest to tell it apart."""
    return hex_digest[:SHORT_DIGEST]


def local_time(moment: datetime) -> str:
    """Write a time in the reader's own zone, with milliseconds: `2026-03-01 09:30:00.125`."""
    return moment.astimezone().isoformat(sep=" ", timespec="milliseconds")[:23]

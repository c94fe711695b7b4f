"""What becomes of a future whose caller may have gone."""

import asyncio
from typing import Any


def take_note(future: "asyncio.Future[Any]") -> None:
    """Of its error, as a callback: else the event loop logs one that nobody waits for any more as a defect."""
    if not future.cancelled():
        future.exception()

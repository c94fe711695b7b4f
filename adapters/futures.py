"""What becomes of a future whose caller may have gone."""

import asyncio
from typing import Any, TypeVar

T = TypeVar("T")


async def shared(future: "asyncio.Future[T]") -> T:
    """The result of what others may wait for, too: it goes on when this caller is cancelled, and is no defect then.

    Its error holds the frames of those who got it, so that whoever keeps the future in a local name must delete that.
    Raises: the future's error.
    """
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(take_note)
        raise
    finally:
        del future  # its error would hold this frame, and this frame the error, until cycles are looked for


def take_note(future: "asyncio.Future[Any]") -> None:
    """Of its error, as a callback: else the event loop logs one that nobody waits for any more as a defect."""
    if not future.cancelled():
        future.exception()

"""Has a note written: the configured writer is tried a few times; if it fails, the note is quotations only.

Any note is better than none. Who stores it says which engine wrote it and, if that is not the configured one, why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import TypeVar

from adapters.notes.note import NoteNotWritten
from service.application.retry import RetryPolicy

logger = logging.getLogger(__name__)

N = TypeVar("N")


async def written(
    write: Callable[[], Awaitable[N]],
    quote: Callable[[], Awaitable[N]],
    *,
    policy: RetryPolicy,
    random: Random,
    about: Mapping[str, str],
) -> tuple[N, str | None]:
    """The note by `write` or, if that fails for good, by `quote`, and then the reason. `about`: for the logs."""
    delays = policy.delays(random)
    while True:
        try:
            return await write(), None
        except NoteNotWritten as error:
            logger.warning("note not written", extra={**about, "reason": error.reason, "because": str(error)})
            delay = next(delays, None) if error.is_retryable else None
            if delay is None:
                return await quote(), error.reason
        await asyncio.sleep(delay.total_seconds())

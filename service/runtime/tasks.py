"""Ending tasks."""

import asyncio
from collections.abc import Collection


async def end_tasks(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Cancel them, and return when all have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""Directories for what one job keeps on the disk while it lasts."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.blobs.storage_errors import storage_errors


@asynccontextmanager
async def own_scratch(folder: Path) -> AsyncIterator[Path]:
    """A directory for one worker. It is removed from outside: a worker that is killed, which deletions and limits do,
    removes nothing, and what it copied of a recording must not stay."""
    with storage_errors():
        scratch = Path(tempfile.mkdtemp(dir=folder))
    try:
        yield scratch
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

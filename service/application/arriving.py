"""What is known of recordings that were decoded while they arrived, for the stages of the same process.

It saves work, and decides nothing: stages compare it with what is stored, and do without where there is nothing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from adapters.audio.as_it_came import CameWhole
from service.application.part_orders import CutPart
from service.application.project_turns import Turn

PATIENCE = timedelta(minutes=1)
"""To decode the rest of a recording that is complete takes seconds; to decode all of it anew takes longer."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A recording that was decoded to its end. `parts`: all of its sound; of those not heard yet, `sound` is there."""

    came: CameWhole
    parts: Sequence[CutPart]


class Listened(Protocol):
    """A recording that is listened to."""

    async def whole(self) -> Arrived | None:
        """What has arrived, as soon as all has; None if it is not known."""
        ...

    async def leave_to(self, turn: Turn) -> None:
        """Begin to hear no further part. Those that are under way are heard in this turn."""
        ...


class Arriving:
    """By recording: who listens to it. Used from one event loop."""

    def __init__(self) -> None:
        self._listened: dict[UUID, Listened] = {}

    def add(self, recording_id: UUID, listened: Listened) -> None:
        self._listened[recording_id] = listened

    def remove(self, recording_id: UUID) -> None:
        self._listened.pop(recording_id, None)

    async def whole(self, recording_id: UUID) -> Arrived | None:
        """What has arrived of a recording that is complete. None if nobody knows."""
        listened = self._listened.get(recording_id)
        if listened is None:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE.total_seconds()):
                return await listened.whole()
        return None

    async def left_to(self, turn: Turn, recording_id: UUID) -> Arrived | None:
        """The same, for whoever hears the parts from now on that are not heard."""
        arrived, listened = await self.whole(recording_id), self._listened.get(recording_id)
        if listened is not None:
            await listened.leave_to(turn)
        return arrived

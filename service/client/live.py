"""Listening over any network: to one recording until its end, or to all that happens in the project."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from service.client.api import RecordingsClient
from service.client.event_stream import ToldEvent, told_events

ENDS = frozenset({"transcript", "failed", "deleted"})
"""After one of these there is nothing more to be told."""


async def live_events(client: RecordingsClient, recording_id: str) -> AsyncGenerator[ToldEvent]:
    """All events until the one that ends them, each once. Raises: as `told_events`."""
    async with aclosing(told_events(client, lambda last_id: client.live(recording_id, last_id))) as events:
        async for event in events:
            yield event
            if event.event in ENDS:
                return


def all_events(client: RecordingsClient, query: Mapping[str, str]) -> AsyncGenerator[ToldEvent]:
    """What is asked for of all that happens in the project, without end, each once. Raises: as `told_events`."""
    return told_events(client, lambda last_id: client.happening(query, last_id))

"""Listening to a recording over any network: a stream that ends too early is taken up again where it was."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from service.client.api import RecordingsClient
from service.client.attempts import Setback
from service.client.errors import UnexpectedAnswer

ENDS = frozenset({"transcript", "failed", "deleted"})
"""After one of these there is nothing more to be told."""

_COMES_BACK_SECONDS = 1.0
"""Unless the service says how long to wait."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """What the service told. `data`: as it told it."""

    event: str
    data: dict[str, object]


@dataclass(slots=True)
class _Place:
    last_event_id: str | None = None
    comes_back_seconds: float = _COMES_BACK_SECONDS


async def live_events(client: RecordingsClient, recording_id: str) -> AsyncGenerator[LiveEvent]:
    """All events until the one that ends them, each once.

    Raises: ApiError when refused; Unreachable when the client's patience ends; UnexpectedAnswer.
    """
    place = _Place()
    while True:
        with suppress(Setback):
            async with AsyncExitStack() as connection:
                response = await client.attempts.until_done(
                    client.server,
                    lambda: connection.enter_async_context(client.live(recording_id, place.last_event_id)),
                )
                if response.status == HTTPStatus.NO_CONTENT:
                    return
                async for event in _events(response.content, place):
                    yield event
                    if event.event in ENDS:
                        return
        await client.attempts.sleep(place.comes_back_seconds)


async def _events(lines: AsyncIterable[bytes], place: _Place) -> AsyncIterator[LiveEvent]:
    """Reads a stream as the standard says (HTML, 9.2.6). An event that is cut off is none."""
    event, data, its_id = "message", "", place.last_event_id
    async for line in lines:
        written = line.decode().rstrip("\r\n")
        if not written:
            if data:
                place.last_event_id = its_id
                yield LiveEvent(event, _object(data))
            event, data = "message", ""
            continue
        name, _, value = written.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                event = value
            case "data":
                data += value
            case "id":
                its_id = value
            case "retry" if value.isascii() and value.isdigit():
                place.comes_back_seconds = int(value[:9]) / 1000


def _object(data: str) -> dict[str, object]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UnexpectedAnswer("An event of the service is not JSON; is it a tapedeck service?") from error
    if not isinstance(found, dict):
        raise UnexpectedAnswer("An event of the service is not a JSON object; is it a tapedeck service?")
    return found

"""Reading server-sent events over any network: a stream that ends too early is taken up again where it was."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
import orjson

from service.client.api import RecordingsClient
from service.client.attempts import Setback
from service.client.errors import UnexpectedAnswer

_COMES_BACK_SECONDS = 1.0
"""Unless the service says how long to wait."""

Open = Callable[[str | None], AbstractAsyncContextManager[aiohttp.ClientResponse]]
"""Opens the stream once, to go on after the event of this id."""


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """What the service told. `data`: as it told it."""

    event: str
    data: dict[str, object]


@dataclass(slots=True)
class _Place:
    last_event_id: str | None = None
    comes_back_seconds: float = _COMES_BACK_SECONDS


async def told_events(client: RecordingsClient, opened: Open) -> AsyncGenerator[ToldEvent]:
    """All events, each once, until the service says that there are no more.

    Raises: ApiError when refused; Unreachable when the client's patience ends; UnexpectedAnswer.
    """
    place = _Place()
    while True:
        with suppress(Setback):
            async with AsyncExitStack() as connection:
                response = await client.attempts.until_done(
                    client.server, lambda: connection.enter_async_context(opened(place.last_event_id))
                )
                if response.status == HTTPStatus.NO_CONTENT:
                    return
                async for event in _events(response.content, place):
                    yield event
        await client.attempts.sleep(place.comes_back_seconds)


async def _events(lines: AsyncIterable[bytes], place: _Place) -> AsyncIterator[ToldEvent]:
    """Reads a stream as the standard says (HTML, 9.2.6). An event that is cut off is none."""
    event, data, its_id = "message", "", place.last_event_id
    async for line in lines:
        written = line.decode().rstrip("\r\n")
        if not written:
            place.last_event_id = its_id
            if data:
                yield ToldEvent(event, _object(data))
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

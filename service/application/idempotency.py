"""Requests that their callers name are done once: asked again within a day, they get their first answer again.

What is promised: of equal requests at once, one does the work and the others get its answer. The answer is on disk
before it is sent. If the service is killed between the work and its answer, the same request again is given the same
reserved id, so that what it creates under that id is not created twice. A request that is refused keeps no answer.
"""

import hashlib
from collections.abc import Awaitable, Callable

import orjson

from adapters.kept_answers import Answered, Begun, KeptAnswers, NamedRequest
from adapters.one_thread import OneThread
from service.application.clock import Clock, NewId
from service.application.exact_json import exact_loads
from service.application.keyed_locks import KeyedLocks


class Idempotency:
    """Raises: DatabaseFull; DatabaseUnavailable."""

    def __init__(self, kept: KeptAnswers, thread: OneThread, *, clock: Clock, new_id: NewId) -> None:
        self._kept = kept
        self._thread = thread
        self._clock = clock
        self._new_id = new_id
        self._running = KeyedLocks()
        self._forgotten: dict[bytes, set[str]] = {}

    async def once(self, request: NamedRequest, work: Callable[[str], Awaitable[Answered]]) -> Answered:
        """The request's first answer, which `work` gives unless it is kept. `work` is told the reserved id.

        Raises: NameReused; what `work` raises, and then the next request with this name is the first.
        """
        async with self._running.of(request.name.hex()):
            found = await self._thread.run(self._kept.begin, request, self._new_id(), now=self._clock())
            if not isinstance(found, Begun):
                return found
            forgotten = self._forgotten[request.name] = set()
            try:
                answered = await work(found.reserved_id)
                if answered.about not in forgotten:
                    await self._thread.run(self._kept.keep, request, answered)
            finally:
                del self._forgotten[request.name]
            return answered

    async def forget(self, project_id: str, subject_id: str) -> None:
        """Drop the answers about something that is deleted. Gone on return; those being given now are not kept."""
        subject = about(project_id, subject_id)
        for forgotten in self._forgotten.values():
            forgotten.add(subject)
        await self._thread.run(self._kept.forget, subject)


def named_request(project_id: str, call: str, name: str, body: bytes) -> NamedRequest:
    """`call`: the method and path. JSON bodies are the same that say the same, in whatever order."""
    named = "\n".join((project_id, call, name))
    return NamedRequest(
        name=hashlib.sha256(named.encode("utf-8", "surrogateescape")).digest(),
        content=hashlib.sha256(_in_one_form(body)).digest(),
    )


def about(project_id: str, subject_id: str) -> str:
    """What an answer is about, as it is kept with it."""
    return f"{project_id}/{subject_id}"


def _in_one_form(body: bytes) -> bytes:
    try:
        return orjson.dumps(exact_loads(body), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return body

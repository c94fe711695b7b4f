"""Honest clients: each uploads a recording in slices, finalizes it, and gets its transcript and its audio back."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.end_to_end.service_process import ENDED, Answer, slices
from tests.tools.soak.abuse.calling import Caller, bearer, connected
from tests.tools.soak.abuse.naming import answer_name
from tests.tools.soak.abuse.tally import Tally

MOST_WAITS = 60
"""How often a client waits as it is asked to, before it gives up."""
POLL_SECONDS = 0.5
WITHIN_SECONDS = 1_800
SLICES = 6
_WAIT = (429, 503)


@dataclass(frozen=True)
class Speech:
    """A file, its codec, and what the engine hears in it, which is the same every time."""

    body: bytes
    codec: str
    text: str | None = None


@dataclass
class Honest:
    """What honest clients met. `seconds`: from finalize to transcript, by the service's own clock, of each recording.

    `asked_to_wait`: answers of 429 or 503 with a Retry-After, which were heeded. `refused`: whatever else was not as
    it must be, in a sentence each.
    """

    seconds: list[float] = field(default_factory=list)
    answered: int = 0
    asked_to_wait: int = 0
    refused: list[str] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)


class Refused(Exception):
    """An honest request was not answered as it must be."""


@dataclass(frozen=True)
class Account:
    """Who a client is: a secret key's token, and the end user that it records."""

    token: str
    end_user_id: str


class HonestClient:
    def __init__(self, caller: Caller, account: Account, found: Honest) -> None:
        self._caller = caller
        self._account = account
        self._found = found

    async def record(self, speech: Speech) -> None:
        """One recording from its first slice to its transcript. What goes wrong is told in `Honest.refused`."""
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                await self._record(speech)
        except Refused as refused:
            self._found.refused.append(str(refused))
        except TimeoutError:
            self._found.refused.append(f"no transcript within {WITHIN_SECONDS} s")

    async def _record(self, speech: Speech) -> None:
        recording = (await self._ask("POST", "/v1/recordings", 201, body=self._opening(speech))).json
        parts = slices(speech.body, SLICES)
        for number, part in enumerate(parts, 1):
            url = recording["chunk_upload_url_template"].replace("{part}", str(number))
            await self._ask("PUT", url, 200, body=part, key=False)
        path = f"/v1/recordings/{recording['id']}"
        declared = {"total_chunks": len(parts), "final_duration_ms": 1000}
        await self._ask("POST", f"{path}/finalize", 200, body=declared)
        while (stands := (await self._ask("GET", path, 200)).json)["status"] not in ENDED:
            await asyncio.sleep(POLL_SECONDS)
        if stands["status"] != "completed":
            raise Refused(f"an honest recording ended as {stands['status']}: {stands.get('failure')}")
        await self._check(speech, path, stands["transcription_id"])
        events = (await self._ask("GET", f"{path}/events", 200)).json["data"]
        self._found.seconds.append(_from_finalize_to_transcript(events))

    def _opening(self, speech: Speech) -> dict[str, Any]:
        return {"streaming": True, "codec": speech.codec, "end_user_id": self._account.end_user_id}

    async def _check(self, speech: Speech, path: str, transcription_id: str) -> None:
        """The words are those that the speech always has, and the audio comes back byte for byte."""
        text = (await self._ask("GET", f"/v1/transcriptions/{transcription_id}", 200)).json["text"]
        self._found.texts.add(text)
        if speech.text is not None and text != speech.text:
            raise Refused(f"an honest recording has other words than it always has: {text[:80]!r}")
        link = (await self._ask("GET", f"{path}/download-url", 200)).json["download_url"]
        if (await self._ask("GET", link, 200, key=False)).body != speech.body:
            raise Refused("an honest recording's audio came back with other bytes")

    async def _ask(self, method: str, path: str, wanted: int, **more: Any) -> Answer:
        """The answer; where the service asks to wait, the client does. Raises: Refused."""
        for _ in range(MOST_WAITS):
            answer = await self._caller.tried(method, path, **more)
            if answer.status == wanted:
                self._found.answered += 1
                return answer
            if answer.status not in _WAIT or "Retry-After" not in answer.headers:
                break
            self._found.asked_to_wait += 1
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        raise Refused(f"{method} {path.split('?', maxsplit=1)[0]}: {answer_name(answer.status, answer.body)}")


def _from_finalize_to_transcript(events: Sequence[dict[str, Any]]) -> float:
    at = {event["type"]: datetime.fromisoformat(event["at"]) for event in events}
    return (at["Transcribed"] - at["FinalizeRequested"]).total_seconds()


async def honest_rounds(
    url: str, accounts: Sequence[Account], speech: Speech, *, every_seconds: float, until: float, tally: Tally
) -> Honest:
    """Each client begins a recording every so many seconds, all of them evenly spread, as long as `monotonic` is
    before `until`; each makes one at least. Returns when all have their transcripts."""
    found = Honest()
    started = time.monotonic()

    async def client(number: int, account: Account) -> None:
        caller = await opened.enter_async_context(connected(url, bearer(account.token), who="honest", tally=tally))
        honest = HonestClient(caller, account, found)
        begins = started + every_seconds * number / len(accounts)
        while True:
            await asyncio.sleep(max(0.0, begins - time.monotonic()))
            await honest.record(speech)
            begins += every_seconds
            if max(begins, time.monotonic()) >= until:
                return

    async with AsyncExitStack() as opened, asyncio.TaskGroup() as clients:
        for number, account in enumerate(accounts):
            clients.create_task(client(number, account))
    return found

"""Honest clients. Bota's upload a recording in slices, finalize it, and get its transcript and its audio back; Dorsum's
send a session's chunks and get their words, and the note."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson

from tests.end_to_end.service_process import ENDED, Answer, slices
from tests.tools.soak.abuse.calling import Caller, bearer, connected
from tests.tools.soak.abuse.naming import answer_name
from tests.tools.soak.abuse.speech import Speech
from tests.tools.soak.abuse.tally import Tally

MOST_WAITS = 60
"""How often a client waits as it is asked to, before it gives up."""
POLL_SECONDS = 0.5
WITHIN_SECONDS = 1_800
SLICES = 6
_WAIT = (429, 503)


@dataclass
class Honest:
    """What honest clients met. `seconds`: how long each recording took: from finalize to transcript, by the service's
    own clock, or the answers to a session's chunks. `words`: what was heard. `uploaded`: ids of finalized
    recordings.

    `asked_to_wait`: answers of 429 or 503 with a Retry-After, which were heeded. `refused`: whatever else was not as
    it must be, in a sentence each.
    """

    seconds: list[float] = field(default_factory=list)
    answered: int = 0
    asked_to_wait: int = 0
    refused: list[str] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    uploaded: list[str] = field(default_factory=list)


class Refused(Exception):
    """An honest request was not answered as it must be."""


@dataclass(frozen=True)
class Account:
    """Who a client is: the keys of its project, and the end user that it records."""

    token: str
    client_key: str
    end_user_id: str


class HonestClient(ABC):
    def __init__(self, caller: Caller, account: Account, found: Honest) -> None:
        self._caller = caller
        self._account = account
        self._found = found

    async def record(self, speech: Speech) -> None:
        """One recording from its first bytes to its transcript. What goes wrong is told in `Honest.refused`."""
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                await self._record(speech)
        except Refused as refused:
            self._found.refused.append(str(refused))
        except TimeoutError:
            self._found.refused.append(f"no transcript within {WITHIN_SECONDS} s")

    @abstractmethod
    async def _record(self, speech: Speech) -> None:
        """Raises: Refused."""

    async def _ask(self, method: str, path: str, wanted: int = 200, **more: Any) -> Answer:
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

    def _heard(self, words: str, known: str | None) -> None:
        """The same sound has the same words every time. Raises: Refused."""
        self._found.words.add(words)
        if known is not None and words != known:
            raise Refused(f"an honest recording has other words than it always has: {words[:80]!r}")


class BotaClient(HonestClient):
    async def _record(self, speech: Speech) -> None:
        asked = {"streaming": True, "codec": speech.codec, "end_user_id": self._account.end_user_id}
        recording = (await self._ask("POST", "/v1/recordings", 201, body=asked)).json
        parts = slices(speech.body, SLICES)
        for number, part in enumerate(parts, 1):
            url = recording["chunk_upload_url_template"].replace("{part}", str(number))
            await self._ask("PUT", url, body=part, key=False)
        path = f"/v1/recordings/{recording['id']}"
        declared = {"total_chunks": len(parts), "final_duration_ms": 1000}
        await self._ask("POST", f"{path}/finalize", body=declared)
        self._found.uploaded.append(recording["id"])
        while (stands := (await self._ask("GET", path)).json)["status"] not in ENDED:
            await asyncio.sleep(POLL_SECONDS)
        if stands["status"] != "completed":
            raise Refused(f"an honest recording ended as {stands['status']}: {stands.get('failure')}")
        transcription = await self._ask("GET", f"/v1/transcriptions/{stands['transcription_id']}")
        self._heard(transcription.json["text"], speech.words)
        link = (await self._ask("GET", f"{path}/download-url")).json["download_url"]
        if (await self._ask("GET", link, key=False)).body != speech.body:
            raise Refused("an honest recording's audio came back with other bytes")
        self._found.seconds.append(_from_finalize_to_transcript((await self._ask("GET", f"{path}/events")).json))


def _from_finalize_to_transcript(history: dict[str, Any]) -> float:
    at = {event["type"]: datetime.fromisoformat(event["at"]) for event in history["data"]}
    return (at["Transcribed"] - at["FinalizeRequested"]).total_seconds()


class DorsumClient(HonestClient):
    async def _record(self, speech: Speech) -> None:
        session, began, said = str(uuid4()), time.monotonic(), ""
        keys = {"Api-Key": self._account.token, "Client-Key": self._account.client_key}
        *first, last = speech.session
        for samples in first:
            said = await self._send(session, samples, said, keys)
        body = _session_body(session, last, said, is_final=True)
        final = (await self._ask("POST", _TRANSCRIBE, body=body, headers=keys, key=False)).json
        self._found.seconds.append(time.monotonic() - began)
        self._heard(final["full_transcript"], speech.session_words)

    async def _send(self, session: str, samples: bytes, said: str, keys: dict[str, str]) -> str:
        body = _session_body(session, samples, said, is_final=False)
        answer = await self._ask("POST", _TRANSCRIBE, body=body, headers=keys, key=False)
        return f"{said} {answer.json['transcription']}".strip()


_TRANSCRIBE = "/api/consultations/transcribe"


def _session_body(session: str, samples: bytes, said: str, *, is_final: bool) -> bytes:
    """`samples`: a chunk's, as JSON already."""
    fields = orjson.dumps({"session_id": session, "is_final": is_final, "previous_transcript": said})
    return fields[:-1] + b', "chunk": ' + samples + b"}"


@dataclass(frozen=True)
class Pace:
    """When clients begin recordings: from `started` to `until`, by `monotonic`, each every so many seconds."""

    every_seconds: float
    started: float
    until: float


ClientType = Callable[[Caller, Account, Honest], HonestClient]


async def honest_rounds(
    url: str, accounts: Sequence[Account], speech: Speech, client_type: ClientType, *, pace: Pace
) -> Honest:
    """Each client begins a recording every so often, all of them evenly spread, and makes one at least. Returns when
    all have their transcripts."""
    found, tally = Honest(), Tally()

    async def client(number: int, account: Account) -> None:
        caller = await opened.enter_async_context(connected(url, bearer(account.token), who="honest", tally=tally))
        honest = client_type(caller, account, found)
        begins = pace.started + pace.every_seconds * number / len(accounts)
        while True:
            await asyncio.sleep(max(0.0, begins - time.monotonic()))
            await honest.record(speech)
            begins += pace.every_seconds
            if max(begins, time.monotonic()) >= pace.until:
                return

    async with AsyncExitStack() as opened, asyncio.TaskGroup() as clients:
        for number, account in enumerate(accounts):
            clients.create_task(client(number, account))
    return found

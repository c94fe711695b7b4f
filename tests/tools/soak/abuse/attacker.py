"""One hostile client in its own project: what attacks are made of. Whatever it is answered is counted."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from tests.end_to_end.dragon_client import AUDIO, chunk_form
from tests.end_to_end.service_process import ENDED
from tests.tools.soak.abuse.calling import Caller, bearer
from tests.tools.soak.abuse.naming import end_name

POLL_SECONDS = 1.0
ENDS_WITHIN_SECONDS = 900
"""A hostile recording may wait for its turn, but not without end."""
DORSUM_PATH = "/api/consultations/transcribe"


@dataclass(frozen=True)
class Project:
    """A hostile project's credentials: of Bota and Dorsum its own, of Dragon the development customer's."""

    token: str
    client_key: str
    end_user_id: str
    dragon_token: str
    dragon_ids: dict[str, str]

    def plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Attacker:
    """`address`: one of this machine's loopback addresses, from which all its requests come. `receiver_url`: of a
    receiver of webhooks that accepts connections and never answers. `kept`: what an attack keeps from one go to the
    next."""

    caller: Caller
    project: Project
    address: str
    receiver_url: str
    kept: dict[str, Any] = field(default_factory=dict)

    async def create(self, **fields: Any) -> dict[str, Any] | None:
        """A streaming recording of Bota's, if it is given one."""
        asked = {"streaming": True, "codec": "opus", "end_user_id": self.project.end_user_id} | fields
        answer = await self.caller.tried("POST", "/v1/recordings", body=asked)
        return answer.json if answer.status == 201 else None

    async def put(self, recording: dict[str, Any], number: int, body: bytes) -> int:
        url = recording["chunk_upload_url_template"].replace("{part}", str(number))
        return (await self.caller.tried("PUT", url, body=body, key=False)).status

    async def upload(self, chunks: Sequence[bytes], *, codec: str) -> dict[str, Any] | None:
        """A finalized recording of these chunks; None if not all that is taken."""
        recording = await self.create(codec=codec)
        if recording is None:
            return None
        for number, chunk in enumerate(chunks, 1):
            if await self.put(recording, number, chunk) != 200:
                await self.delete(recording)
                return None
        declared = {"total_chunks": len(chunks), "final_duration_ms": 1000}
        answer = await self.caller.tried("POST", f"/v1/recordings/{recording['id']}/finalize", body=declared)
        return recording if answer.status == 200 else None

    async def upload_to_its_end(self, chunks: Sequence[bytes], *, codec: str) -> None:
        """How the recording ends is counted, too. Then it is deleted, so that there is room for another."""
        recording = await self.upload(chunks, codec=codec)
        deadline = time.monotonic() + ENDS_WITHIN_SECONDS
        while recording is not None:
            if time.monotonic() > deadline:
                self.caller.count(f"not ended within {ENDS_WITHIN_SECONDS} s")
                return
            await asyncio.sleep(POLL_SECONDS)
            answer = await self.caller.tried("GET", f"/v1/recordings/{recording['id']}")
            if answer.status == 200 and answer.json["status"] in ENDED:
                self.caller.count(end_name(answer.json))
                await self.delete(recording)
                return

    async def delete(self, recording: dict[str, Any]) -> None:
        await self.caller.tried("DELETE", f"/v1/recordings/{recording['id']}")

    @property
    def dorsum_keys(self) -> dict[str, str]:
        return {"Api-Key": self.project.token, "Client-Key": self.project.client_key}

    async def dorsum(self, body: bytes) -> None:
        headers = self.dorsum_keys | {"Content-Type": "application/json"}
        await self.caller.tried("POST", DORSUM_PATH, body=body, headers=headers, key=False)

    async def dragon(self, chunk_id: int, content: bytes, *, correlation_id: str) -> None:
        ids = self.project.dragon_ids | {"correlationId": correlation_id}
        named = {"recordingId": 1, "chunkId": chunk_id, "skipAmbientSessionExistence": True}
        path = f"/audio/storeChunk?{AUDIO}&customerId={ids['customerId']}"
        form = chunk_form(ids | named, content)()
        headers = {"x-correlation-id": str(uuid4()), "Content-Type": form.headers["Content-Type"]}
        headers |= bearer(self.project.dragon_token)
        await self.caller.tried("PUT", path, body=form, headers=headers, key=False)

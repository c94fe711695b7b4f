"""One hostile client in its own project: what attacks are made of. Whatever it is answered is counted."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.end_to_end.dragon_client import AUDIO, chunk_form
from tests.end_to_end.service_process import ENDED
from tests.tools.soak.abuse.calling import Caller, bearer
from tests.tools.soak.abuse.naming import answer_name, end_name

POLL_SECONDS = 1.0
_DORSUM = "/api/consultations/transcribe"


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
        """A finalized recording of these chunks, if all that is taken."""
        recording = await self.create(codec=codec)
        if recording is None:
            return None
        for number, chunk in enumerate(chunks, 1):
            if await self.put(recording, number, chunk) != 200:
                return None
        declared = {"total_chunks": len(chunks), "final_duration_ms": 1000}
        answer = await self.caller.tried("POST", f"/v1/recordings/{recording['id']}/finalize", body=declared)
        return recording if answer.status == 200 else None

    async def upload_to_its_end(self, chunks: Sequence[bytes], *, codec: str) -> None:
        """How the recording ends is counted, too."""
        recording = await self.upload(chunks, codec=codec)
        while recording is not None:
            await asyncio.sleep(POLL_SECONDS)
            answer = await self.caller.tried("GET", f"/v1/recordings/{recording['id']}")
            if answer.status == 200 and answer.json["status"] in ENDED:
                self.caller.count(end_name(answer.json))
                return

    async def delete(self, recording: dict[str, Any]) -> None:
        await self.caller.tried("DELETE", f"/v1/recordings/{recording['id']}")

    @property
    def dorsum_keys(self) -> dict[str, str]:
        return {"Api-Key": self.project.token, "Client-Key": self.project.client_key}

    async def dorsum(self, body: bytes) -> None:
        headers = self.dorsum_keys | {"Content-Type": "application/json"}
        await self.caller.tried("POST", _DORSUM, body=body, headers=headers, key=False)

    async def dorsum_that_stays_unfinished(self, body: bytes, *, missing: int, seconds: float) -> None:
        """All of a body but its last bytes; then nothing, until the service answers or hangs up or it has been long
        enough."""
        parts = urlsplit(self.caller.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, local_addr=(self.address, 0))
        head = [f"POST {_DORSUM} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in self.dorsum_keys.items()]
        head += ["Content-Type: application/json", "", ""]
        try:
            async with asyncio.timeout(seconds):
                with suppress(ConnectionError):
                    writer.write("\r\n".join(head).encode() + body[:-missing])
                    await writer.drain()
                status, _, content = (await reader.read()).partition(b"\r\n\r\n")
            self.caller.count(answer_name(int(status.split()[1]), content) if status else "hung up")
        except ConnectionError:
            self.caller.count("hung up")
        except TimeoutError:
            self.caller.count("waited for")
        finally:
            writer.transport.abort()

    async def dragon(self, chunk_id: int, content: bytes, *, correlation_id: str) -> None:
        ids = self.project.dragon_ids | {"correlationId": correlation_id}
        named = {"recordingId": 1, "chunkId": chunk_id, "skipAmbientSessionExistence": True}
        path = f"/audio/storeChunk?{AUDIO}&customerId={ids['customerId']}"
        form = chunk_form(ids | named, content)()
        headers = {"x-correlation-id": str(uuid4()), "Content-Type": form.headers["Content-Type"]}
        headers |= bearer(self.project.dragon_token)
        await self.caller.tried("PUT", path, body=form, headers=headers, key=False)

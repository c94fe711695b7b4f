"""Recordings that have come as far as a test wants, put into a running service's log; and calls about them."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from domain.events import RecordingEvent
from service.application.blob_names import blob_prefix
from tests.domain.histories import chunk, damaged, finalized, opened, stitched
from tests.end_to_end.service_process import Answer, Api, short_speech, slices
from tests.service.running_service import Running

SPEECH = slices(short_speech(), 3)
BROKEN = [SPEECH[0], bytes(len(SPEECH[1])), SPEECH[2]]


def credentials(running: Running, dialect: str) -> dict[str, str]:
    return orjson.loads((running.settings.data_dir / "dev-credentials.json").read_bytes())[dialect]


class Shelf:
    """Puts recordings into the service's log that have the history that is wanted, with real bytes behind it."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._stores = running.stores

    async def put(self, its_id: UUID, chunks: list[bytes], *events: RecordingEvent, **opening: Any) -> UUID:
        """A recording of these chunks, and then `events`."""
        clock = self._running.clock()
        facts = {"tenant_id": self.project, "at": clock, "expires_at": clock + timedelta(hours=4)}
        stored = [self._chunk(its_id, number, body) for number, body in enumerate(chunks, 1)]
        history = [opened(**facts | opening), *stored, *events]
        now = [event.model_copy(update={"at": clock}) for event in history]
        await self._stores.log.append(its_id, 0, now, trace_id=None)
        return its_id

    @property
    def project(self) -> str:
        return credentials(self._running, "bota")["project_id"]

    def _chunk(self, its_id: UUID, number: int, body: bytes) -> RecordingEvent:
        blob = self._stores.blobs.put_bytes(blob_prefix(its_id, f"chunk-{number}"), body)
        return chunk(number, body).model_copy(update={"blob_key": blob.key})

    async def with_damage(self, its_id: UUID | None = None, **opening: Any) -> UUID:
        """A recording that was stitched without its second chunk, and is about to be transcribed."""
        its_id = its_id or uuid4()
        blob = self._stores.blobs.put_bytes(blob_prefix(its_id, "audio"), short_speech())
        facts = {name: getattr(blob, field) for name, field in (("blob_key", "key"), ("size_bytes", "size_bytes"))}
        facts |= {"sha256": blob.sha256, "content_type": "audio/wav", "chunk_count": 3}
        with_damage = stitched(damaged(2)).model_copy(update=facts)
        return await self.put(its_id, BROKEN, finalized(3), with_damage, **opening)


def named(its_id: UUID) -> dict[str, str]:
    return {"id": f"rec_{its_id.hex}"}


async def bytes_of(api: Api, recording: dict[str, Any], which: int | str) -> Answer:
    return await api.call("GET", f"/v1/recordings/{recording['id']}/chunks/{which}")


async def retry(api: Api, recording: dict[str, Any]) -> Answer:
    return await api.call("POST", f"/v1/recordings/{recording['id']}/retry")

"""A vendor's app with its upload queue, and its backend, written from the facts in Bota's REFERENCE.md.

The backend holds the API key. It creates recordings and asks for upload URLs, hands these to the app with their tokens,
and passes on what the app says when an upload is complete. The app keeps its own copy of a recording until it believes
that the recording is safe.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.end_to_end.service_process import Answer, Api
from tests.tools.free_ports import free_port


@dataclass
class Job:
    """What the backend hands to the app for one recording. Without a token the app skips completing."""

    recording_id: str
    upload_url: str
    content_type: str
    upload_token: str | None
    complete_url: str | None


@dataclass
class Backend:
    """`api`: the service, with the backend's key. `told`: what apps said is complete."""

    api: Api
    url: str
    passes_tokens_on: bool = True
    told: list[dict[str, Any]] = field(default_factory=list)

    async def new_recording(self) -> str:
        asked = {
            "source": "device",
            "upload_method": "ble",
            "device_id": "dev_1",
            "recorded_at": "2026-01-13T10:00:00Z",
        }
        return (await self.api.create(streaming=False, **asked))["id"]

    async def job(self, recording_id: str, **announced: Any) -> Job:
        """A fresh URL to upload the recording to."""
        body = {"content_type": "audio/ogg"} | announced
        offered = await self.api.call("POST", f"/v1/recordings/{recording_id}/upload-url", body=body)
        assert offered.status == 200, offered
        token = offered.json["upload_token"] if self.passes_tokens_on else None
        return Job(
            recording_id, offered.json["upload_url"], offered.json["content_type"], token, f"{self.url}/complete"
        )

    async def complete(self, request: web.Request) -> web.Response:
        """The app's complete URL: forwards the app's own authorization, as it came, to the service."""
        said = await request.json()
        self.told.append(said)
        path = f"/v1/recordings/{said['recording_id']}/upload-complete"
        authorization = {"Authorization": request.headers["Authorization"]}
        answer = await self.api.call("POST", path, body=said, headers=authorization, key=False)
        return web.Response(status=answer.status, body=answer.body)


@asynccontextmanager
async def backend(api: Api) -> AsyncIterator[Backend]:
    port = free_port()
    served = Backend(api, f"http://127.0.0.1:{port}")
    app = web.Application()
    app.router.add_post("/complete", served.complete)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield served
    finally:
        await runner.cleanup()


@dataclass
class App:
    """The queue of one phone. `kept`: its own copies, by recording; what is not there can be got from nowhere else."""

    api: Api
    kept: dict[str, bytes] = field(default_factory=dict)

    async def put(self, job: Job) -> Answer:
        headers = {"Content-Type": job.content_type}
        return await self.api.call("PUT", job.upload_url, body=self.kept[job.recording_id], headers=headers, key=False)

    async def complete(self, job: Job, **said: Any) -> Answer:
        assert job.complete_url is not None
        headers = {"Authorization": f"Bearer {job.upload_token}"}
        body = {"recording_id": job.recording_id} | said
        return await self.api.call("POST", job.complete_url, body=body, headers=headers, key=False)

    async def work_off(self, job: Job, **said: Any) -> bool:
        """PUT, complete if there is a token, and delete the own copy once all of that was answered with 2xx."""
        answers = [await self.put(job)]
        if answers[-1].status == 200 and job.upload_token is not None:
            answers.append(await self.complete(job, **said))
        is_done = all(answer.status == 200 for answer in answers)
        if is_done:
            del self.kept[job.recording_id]
        return is_done

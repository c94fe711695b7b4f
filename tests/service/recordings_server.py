"""The recordings API in memory, on a real socket in a thread of its own, with faults to order.

It keeps the protocol's promises (signed template, Content-MD5, missing chunks, Range, ETag), so that what the client is
tested against is the wire, and a fault comes exactly when a test wants it.
"""

import asyncio
import base64
import hashlib
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

API_KEY = "sk_test_example"
SIGNATURE = "signature=good"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@dataclass
class Held:
    """One recording."""

    id: str
    body: dict[str, Any]
    chunks: dict[int, bytes] = field(default_factory=dict)
    finalized: dict[str, Any] | None = None
    failure: dict[str, str] | None = None
    damage: list[dict[str, Any]] = field(default_factory=list)
    suspects: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] | None = None
    polls: int = 0

    @property
    def audio(self) -> bytes:
        return b"".join(self.chunks[number] for number in sorted(self.chunks))


@dataclass
class RecordingsServer:
    """Start with `start()`; `stop()` drops every connection; starting again keeps the port and all that was stored."""

    transcript: str = "go forward ten meters"
    max_chunks: int = 100
    lose_once: set[int] = field(default_factory=set)
    damage_once: set[int] = field(default_factory=set)
    fail_with: dict[str, str] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    live: list[bytes] = field(default_factory=list)
    last_event_ids: list[str | None] = field(default_factory=list)
    queries_seen: list[dict[str, str]] = field(default_factory=list)
    recordings: dict[str, Held] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    headers_seen: list[dict[str, str]] = field(default_factory=list)
    puts_at_once: int = 0
    most_puts_at_once: int = 0
    template_signature: str = SIGNATURE
    port: int = 0

    def __post_init__(self) -> None:
        self._faults: dict[tuple[str, str], deque[Fault]] = defaultdict(deque)
        self._created: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def only(self) -> Held:
        (held,) = self.recordings.values()
        return held

    def next_time(self, method: str, path_end: str, *faults: Fault) -> None:
        """Meet the next requests of `method` whose path ends in `path_end` (or contains it) with `faults`, in turn."""
        self._faults[method, path_end].extend(faults)

    def count(self, method: str, path_part: str) -> int:
        return sum(1 for seen_method, path in self.seen if seen_method == method and path_part in path)

    def start(self) -> None:
        self._in_loop(self._start())

    def stop(self) -> None:
        self._in_loop(self._stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def restart_in_the_middle(self) -> Fault:
        """A fault: the process dies without an answer, and is back a moment later."""

        async def fault(request: web.Request) -> None:
            if request.transport is not None:
                request.transport.abort()
            self._later = asyncio.ensure_future(self._restart())

        return fault

    def break_off_after(self, size_bytes: int) -> Fault:
        """A fault: a download that stops in the middle."""

        async def fault(request: web.Request) -> web.StreamResponse:
            audio = self.only.audio
            response = web.StreamResponse(headers={"Content-Length": str(len(audio))})
            await response.prepare(request)
            await response.write(audio[:size_bytes])
            assert request.transport is not None
            request.transport.close()
            return response

        return fault

    async def _restart(self) -> None:
        await self._stop()
        await self._start()

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._with_faults], client_max_size=2**26)
        app.router.add_post("/v1/recordings", self._create)
        app.router.add_put("/upload/{id}/chunk_{part}.opus", self._put)
        app.router.add_post("/v1/recordings/{id}/finalize", self._finalize)
        app.router.add_post("/v1/recordings/{id}/retry", self._retry)
        app.router.add_get("/v1/recordings/{id}", self._recording)
        app.router.add_get("/v1/recordings/{id}/chunks", self._chunks)
        app.router.add_get("/v1/recordings/{id}/chunks/{number}", self._chunk)
        app.router.add_get("/v1/recordings/{id}/events", self._events)
        app.router.add_get("/v1/recordings/{id}/live", self._live)
        app.router.add_get("/v1/events", self._live)
        app.router.add_get("/v1/recordings/{id}/download-url", self._download_url)
        app.router.add_get("/v1/transcriptions/{id}", self._transcription)
        app.router.add_get("/download/{id}", self._download)
        self._runner = web.AppRunner(app, shutdown_timeout=0, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _in_loop(self, work: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(_awaited(work), self._loop).result(timeout=20)

    @web.middleware
    async def _with_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.seen.append((request.method, request.path))
        self.headers_seen.append(dict(request.headers))
        for (method, part), faults in self._faults.items():
            if faults and request.method == method and part in request.path:
                answer = await faults.popleft()(request)
                if answer is not None:
                    return answer
                break
        if request.path.startswith("/v1/") and request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return refused(401, "unauthorized", "Missing or unknown key")
        return await handler(request)

    def _held(self, request: web.Request) -> Held:
        held = self.recordings.get(request.match_info["id"])
        if held is None:
            error = {"type": "recording_not_found", "message": "There is no such recording"}
            raise web.HTTPNotFound(text=orjson.dumps({"error": error}).decode(), content_type="application/json")
        return held

    def _template(self, held: Held) -> str:
        return f"{self.url}/upload/{held.id}/chunk_{{part}}.opus?{self.template_signature}"

    async def _create(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        key = request.headers["Idempotency-Key"]
        recording_id = self._created.setdefault(key, f"rec_{len(self._created) + 1:04}")
        held = self.recordings.setdefault(recording_id, Held(recording_id, body))
        answer = {"id": held.id, "status": "streaming", "max_chunks": self.max_chunks}
        return answered(201, {**answer, "chunk_upload_url_template": self._template(held), "expires_at": "2030-01-01Z"})

    async def _put(self, request: web.Request) -> web.Response:
        self.puts_at_once += 1
        self.most_puts_at_once = max(self.most_puts_at_once, self.puts_at_once)
        try:
            held, number, body = self._held(request), int(request.match_info["part"]), await request.read()
        finally:
            self.puts_at_once -= 1
        if request.query_string != SIGNATURE:
            return refused(403, "forbidden", "The signature has expired")
        digest = hashlib.md5(body, usedforsecurity=False)
        if number in self.damage_once:
            self.damage_once.remove(number)
            digest.update(b"damaged")
        if request.headers["Content-MD5"] != base64.b64encode(digest.digest()).decode():
            details = {"field": "Content-MD5", "reason": "The body that arrived has another MD5"}
            return refused(400, "invalid_request", "The body was damaged", details=details)
        if number in self.lose_once:
            self.lose_once.remove(number)
        else:
            held.chunks[number] = body
        return web.Response(headers={"ETag": f'"{digest.hexdigest()}"'})

    async def _finalize(self, request: web.Request) -> web.Response:
        held, body = self._held(request), orjson.loads(await request.read())
        missing = [number for number in range(1, body["total_chunks"] + 1) if number not in held.chunks]
        if missing:
            return refused(409, "chunk_mismatch", f"Chunks are missing: {missing}", missing_chunks=missing)
        held.finalized = body
        held.failure = self.fail_with
        received = {"chunks_received": len(held.chunks), "stitching_job_id": "job_1"}
        return answered(200, {"id": held.id, "status": "uploaded", "transcription_status": "queued", **received})

    async def _retry(self, request: web.Request) -> web.Response:
        held = self._held(request)
        if held.failure is None:
            return refused(409, "not_failed", "There is nothing to retry")
        held.failure, held.polls = None, 0
        return answered(202, self._document(held))

    async def _recording(self, request: web.Request) -> web.Response:
        held = self._held(request)
        held.polls += 1
        return answered(200, self._document(held))

    def _document(self, held: Held) -> dict[str, Any]:
        status, transcription = self._status(held)
        stitched = status in ("processing", "completed")
        return {
            "id": held.id,
            "name": held.body.get("name"),
            "status": status,
            "transcription_status": transcription,
            "transcription_id": held.id.replace("rec_", "txn_"),
            "duration_ms": held.finalized["final_duration_ms"] if held.finalized else None,
            "content_sha256": hashlib.sha256(held.audio).hexdigest() if stitched else None,
            "file_size_bytes": len(held.audio) if stitched else None,
            "mime_type": "audio/wav",
            "started_at": held.body["started_at"],
            "failure": held.failure,
            **({"damage": held.damage} if held.damage else {}),
            "metadata": held.metadata,
            **({"progress": held.progress} if held.progress is not None else {}),
            **({"suspect_chunks": held.suspects} if held.suspects else {}),
        }

    def _status(self, held: Held) -> tuple[str, str | None]:
        if held.finalized is None:
            return "streaming", None
        if held.failure is not None:
            return "failed", "failed"
        return [("uploaded", "queued"), ("processing", "processing"), ("completed", "completed")][min(held.polls, 2)]

    async def _chunk(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        body = self._held(request).chunks[number]
        if number in self.damage_once:
            self.damage_once.remove(number)
            return web.Response(body=body[:-1])
        return web.Response(body=body)

    async def _chunks(self, request: web.Request) -> web.Response:
        held = self._held(request)
        self.template_signature = SIGNATURE
        data = [
            {"number": number, "size_bytes": len(body), "md5": hashlib.md5(body, usedforsecurity=False).hexdigest()}
            for number, body in sorted(held.chunks.items())
        ]
        template = None if held.finalized else self._template(held)
        answer = {"id": held.id, "status": self._status(held)[0], "max_chunks": self.max_chunks, "data": data}
        return answered(200, {**answer, "chunk_upload_url_template": template})

    async def _events(self, request: web.Request) -> web.Response:
        """Two to a page."""
        self._held(request)
        start = int(request.query.get("cursor", 0))
        more = start + 2 < len(self.events)
        page = {
            "data": self.events[start : start + 2],
            "has_more": more,
            "next_cursor": str(start + 2) if more else None,
        }
        return answered(200, page)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """What is to be told over one connection; the last event of a connection that breaks may be cut off."""
        self.last_event_ids.append(request.headers.get("Last-Event-ID"))
        self.queries_seen.append(dict(request.query))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(self.live.pop(0))
        if self.live and request.transport is not None:
            request.transport.close()
        return response

    async def _transcription(self, request: web.Request) -> web.Response:
        if form := request.query.get("format"):
            return web.Response(text=f"{self.transcript} as {form}\n")
        return answered(200, {"id": request.match_info["id"], "status": "completed", "text": self.transcript})

    async def _download_url(self, request: web.Request) -> web.Response:
        held = self._held(request)
        link = {"download_url": f"{self.url}/download/{held.id}", "expires_in": 60, "content_type": "audio/wav"}
        return answered(200, {**link, "file_size_bytes": len(held.audio)})

    async def _download(self, request: web.Request) -> web.Response:
        audio = self._held(request).audio
        etag = f'"{hashlib.sha256(audio).hexdigest()}"'
        start = request.http_range.start or 0
        if start == 0 or request.headers.get("If-Range") != etag:
            return web.Response(body=audio, headers={"ETag": etag})
        content_range = f"bytes {start}-{len(audio) - 1}/{len(audio)}"
        return web.Response(status=206, body=audio[start:], headers={"ETag": etag, "Content-Range": content_range})


def answer_with(status: int, **headers: str) -> Fault:
    """A fault: an answer such as 503, in the API's own words."""

    async def fault(request: web.Request) -> web.StreamResponse:
        await request.read()
        answer = refused(status, "internal_error", "Something is wrong")
        answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return answer

    return fault


async def drop_connection(request: web.Request) -> None:
    """A fault: the connection breaks before there is an answer."""
    assert request.transport is not None
    request.transport.abort()


def answered(status: int, document: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")


def refused(status: int, kind: str, message: str, **details: object) -> web.Response:
    return answered(status, {"error": {"type": kind, "code": kind, "message": message, **details}})


async def _awaited(work: Awaitable[None]) -> None:
    await work

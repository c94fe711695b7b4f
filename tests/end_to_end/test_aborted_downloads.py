"""A client may go away in the middle of a download: that is its own affair, and no failure of the service."""

import asyncio
import re
import socket
import struct
from uuid import uuid4

import pytest

from tests.end_to_end.service_process import short_speech

BODY = bytes(range(256)) * (16 * 4096)
"""16 MiB: more than all buffers between the service and a client that does not read."""

CLIENT_GONE = 499


@pytest.fixture(scope="module")
def offered(service):
    """Paths of what can be downloaded, and what each call needs besides."""
    return asyncio.run(_offered(service))


async def _offered(service):
    api = service.api()
    chunks = await api.upload([BODY, BODY[:1000]])
    whole = await api.upload([short_speech()], codec="wav")
    await api.finalize(whole, 1)
    await api.ended(whole)
    signed = (await api.get(whole, "/download-url"))["download_url"].removeprefix(service.url)
    of_chunks = f"/v1/recordings/{chunks['id']}/chunks"
    return {"chunk": f"{of_chunks}/1", "all chunks": f"{of_chunks}/all", "download": signed}


class GoneClient:
    """Asks on a connection of its own with the smallest of buffers, and goes away."""

    def __init__(self, service, token):
        self.trace_id = str(uuid4())
        self._service = service
        self._token = token
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", service.port))

    def ask(self, method, path, **headers):
        given = {
            "Host": "tapedeck",
            "Authorization": f"Bearer {self._token}",
            "x-correlation-id": self.trace_id,
        } | headers
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
        self._socket.sendall("\r\n".join(lines).encode())

    def read(self, size=1):
        return self._socket.recv(size)

    def leave(self, *, abruptly):
        if abruptly:  # with a reset, as when a phone's application is killed
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def line(self):
        """The service's one line about the request, once it is written."""
        (line,) = await self._service.lines_of_trace(self.trace_id)
        return line

    async def counted(self, route, status):
        """How many requests the service's metrics count."""
        answer = await self._service.api().call("GET", "/metrics", key=False)
        begins = f'tapedeck_http_requests_total{{method="GET",route="{route}",status="{status}"}} '
        lines = answer.body.decode().split("\n")
        return sum(float(line.removeprefix(begins)) for line in lines if line.startswith(begins))


@pytest.fixture
def client(service):
    return GoneClient(service, service.credentials["api_key"])


@pytest.fixture(autouse=True)
async def nothing_is_reported_as_a_failure(service):
    """The log says nothing of an error while a client goes away, and the service goes on to answer others."""
    before = len(service.log_lines())
    yield
    assert (await service.api().call("GET", "/health", key=False)).status == 200
    for line in service.log_lines()[before:]:
        assert line["level"] in ("info", "warning"), line
        assert "exception" not in line


@pytest.mark.parametrize("abruptly", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200", b"HTTP/1.1 206"], ids=["whole", "range"])
@pytest.mark.parametrize("what", ["chunk", "all chunks"])
async def test_a_client_that_leaves_during_the_body_is_told_of_as_gone(client, offered, what, beginning, abruptly):
    route = "/v1/recordings/{recording_id}/chunks/" + ("{number}" if what == "chunk" else "all")
    before = await client.counted(route, CLIENT_GONE), await client.counted(route, 500)
    client.ask("GET", offered[what], **({"Range": "bytes=5-"} if beginning.endswith(b"206") else {}))
    assert client.read(len(beginning)) == beginning
    client.leave(abruptly=abruptly)
    line = await client.line()
    assert (line["message"], line["status"]) == ("request", CLIENT_GONE)
    after = await client.counted(route, CLIENT_GONE), await client.counted(route, 500)
    assert after == (before[0] + 1, before[1])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("what", ["chunk", "all chunks", "download"])
async def test_a_client_that_leaves_before_the_first_byte_harms_nobody(client, offered, what, method):
    client.ask(method, offered[what])
    client.leave(abruptly=True)
    line = await client.line()
    assert line["status"] in (200, CLIENT_GONE)  # which of the two is a matter of who was faster


async def test_a_download_that_is_read_to_its_end_is_counted_as_answered(service, offered, api):
    trace_id = str(uuid4())
    answer = await api.call("GET", offered["all chunks"], headers={"x-correlation-id": trace_id})
    assert answer.body == BODY + BODY[:1000]
    (line,) = await service.lines_of_trace(trace_id)
    assert line["status"] == 200
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-correlation-id"])

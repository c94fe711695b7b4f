"""Load: wrk, as fast as the server answers, each request with its own part number."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.tools.bench.ingest.servers import Server

SCRIPT = """
local paths, body, first, count = {{{paths}}}, {body}, {first}, {threads}
local before, after
local started = {{}}
function setup(thread)
    thread:set("number", #started)
    table.insert(started, thread)
end
function init()
    wrk.headers["Content-Type"] = "application/octet-stream"
    part = first + number
    before, after = paths[number % #paths + 1]:match("^(.-){{part}}(.*)$")
end
function request()
    part = part + count
    return wrk.format("PUT", before .. string.format("%d", part) .. after, nil, body)
end
function response(status, headers, text)
    if status >= 300 then io.stderr:write(status .. " " .. text .. "\\n") end
end
function done(summary, latency, requests)
    local errors, last = summary.errors, 0
    for _, thread in ipairs(started) do last = math.max(last, thread:get("part")) end
    io.write(string.format(
        '\\nRESULT {{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "failed": %d, "last": %d}}\\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout, last))
end
"""


@dataclass(frozen=True)
class Measured:
    """Times in milliseconds. `last_part`: the highest number that a body had."""

    rate: float
    p50_ms: float
    p99_ms: float
    requests: int
    last_part: int


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def measure(
    server: Server,
    *,
    size_bytes: int,
    clients: int,
    seconds: float,
    first_part: int,
    folder: Path,
    threads: int = 1,  # a second one would only take processor time from the servers
) -> Measured:
    """Put bodies for this long. `threads`: of wrk; each has its share of the connections, and one path of the server's.

    Raises: RuntimeError when a request was not answered with success.
    """
    script = folder / "put.lua"
    body = f'string.rep("\\1\\2\\3\\4\\5\\6\\7\\8", {size_bytes // 8})'
    paths = ", ".join(f'"{path}"' for path in server.paths)
    script.write_text(SCRIPT.format(paths=paths, first=first_part, body=body, threads=threads))
    url = f"http://127.0.0.1:{server.port}"
    ended = subprocess.run(
        ["wrk", f"-t{threads}", f"-c{clients}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(next(line for line in ended.stdout.splitlines() if line.startswith("RESULT"))[7:])
    if result["failed"]:
        raise RuntimeError(f"{server.name}: {result['failed']} requests failed: {ended.stderr[:300]}")
    return Measured(
        rate=result["requests"] / result["microseconds"] * 1e6,
        p50_ms=result["p50"] / 1000,
        p99_ms=result["p99"] / 1000,
        requests=result["requests"],
        last_part=result["last"],
    )

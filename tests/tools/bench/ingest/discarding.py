"""A bare aiohttp server that reads a body and discards it: what the framework itself costs.

With `--digests` it takes the SHA-256 and the MD5 of the body, too: no server that tells them costs less. With
`--shared` several processes may have the port.
"""

import hashlib
import sys

import uvloop
from aiohttp import web


async def discard(request: web.Request) -> web.Response:
    async for _ in request.content.iter_any():
        pass
    return web.Response()


async def digest(request: web.Request) -> web.Response:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    async for piece in request.content.iter_any():
        sha256.update(piece)
        md5.update(piece)
    return web.Response(headers={"ETag": f'"{md5.hexdigest()}"', "Digest": sha256.hexdigest()})


if __name__ == "__main__":
    application = web.Application(client_max_size=2**30)
    application.router.add_put("/{path:.*}", digest if "--digests" in sys.argv else discard)
    loop = uvloop.new_event_loop()
    web.run_app(
        application,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        reuse_port="--shared" in sys.argv,
        loop=loop,
        access_log=None,
        print=lambda *_: None,
    )

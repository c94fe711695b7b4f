"""A bare aiohttp server that reads a body and discards it: what the framework itself costs."""

import sys

import uvloop
from aiohttp import web


async def discard(request: web.Request) -> web.Response:
    async for _ in request.content.iter_any():
        pass
    return web.Response()


if __name__ == "__main__":
    application = web.Application(client_max_size=2**30)
    application.router.add_put("/{path:.*}", discard)
    loop = uvloop.new_event_loop()
    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), loop=loop, access_log=None, print=lambda *_: None)

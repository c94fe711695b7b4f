"""JSON in and out of the HTTP API: one codec, times as ISO 8601 with Z."""

from datetime import UTC, datetime
from typing import Any, overload

import orjson
from aiohttp import web
from pydantic import BaseModel


def json_answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """`body` as JSON. The same value always gives the same bytes."""
    sent = body.model_dump() if isinstance(body, BaseModel) else body
    return web.Response(
        body=orjson.dumps(sent), status=status, content_type="application/json", charset="utf-8", headers=headers
    )


@overload
def utc_text(moment: datetime) -> str: ...
@overload
def utc_text(moment: datetime | None) -> str | None: ...
def utc_text(moment: datetime | None) -> str | None:
    """A time as the vendors' clients expect it: milliseconds, Z; null for none."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

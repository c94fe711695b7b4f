"""JSON in and out of the HTTP API: one codec, times as ISO 8601 with Z."""

from datetime import UTC, datetime
from typing import Any, overload

import orjson
from aiohttp import web
from pydantic import BaseModel

PIECE_ITEMS = 500
"""A list of more than so many is long."""


def json_answer(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None, piece_items: int = PIECE_ITEMS
) -> web.Response:
    """`body` as JSON. The same value always gives the same bytes. `piece_items`: see `json_bytes`."""
    return web.Response(
        body=json_bytes(body, piece_items),
        status=status,
        content_type="application/json",
        charset="utf-8",
        headers=headers,
    )


def json_bytes(body: Any, piece_items: int = PIECE_ITEMS) -> bytes:
    """`body` as JSON. A model's lists of models are written `piece_items` at a time: in a thread, this lets others have
    their turn in between."""
    if not isinstance(body, BaseModel):
        return orjson.dumps(body)
    is_long = _has_long_list(body, piece_items)
    return orjson.dumps(_with_lists_written(body, piece_items) if is_long else body.model_dump())


def _has_long_list(model: BaseModel, piece_items: int) -> bool:
    return any(
        len(models) > piece_items or any(_has_long_list(one, piece_items) for one in models)
        for models in _lists_of_models(model).values()
    )


def _lists_of_models(model: BaseModel) -> dict[str, list[BaseModel]]:
    return {
        name: value
        for name, value in model.__dict__.items()
        if isinstance(value, list) and value and isinstance(value[0], BaseModel)
    }


def _with_lists_written(model: BaseModel, piece_items: int) -> dict[str, Any]:
    """What `model_dump` gives, but for lists of models."""
    lists = _lists_of_models(model)
    said = model.model_dump(exclude=set(lists))
    written = {name: orjson.Fragment(_list_bytes(models, piece_items)) for name, models in lists.items()}
    return {
        name: written.get(name, said.get(name)) for name in type(model).model_fields if name in said or name in written
    }


def _list_bytes(models: list[BaseModel], piece_items: int) -> bytes:
    starts = range(0, len(models), piece_items)
    return b"[%b]" % b",".join(_piece_bytes(models[start : start + piece_items], piece_items) for start in starts)


def _piece_bytes(models: list[BaseModel], piece_items: int) -> bytes:
    if any(_has_long_list(one, piece_items) for one in models):
        return b",".join(json_bytes(one, piece_items) for one in models)
    return orjson.dumps([one.model_dump() for one in models])[1:-1]


@overload
def utc_text(moment: datetime) -> str: ...
@overload
def utc_text(moment: datetime | None) -> str | None: ...
def utc_text(moment: datetime | None) -> str | None:
    """A time as the vendors' clients expect it: milliseconds, Z; null for none."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

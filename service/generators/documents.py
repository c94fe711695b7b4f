"""Every document generated for external readers: the messages' schemas, AsyncAPI and OpenAPI."""

from pathlib import Path

import orjson

from service.generators import openapi
from service.generators.asyncapi import asyncapi_document
from service.generators.json_schemas import message_schemas

FOLDER = Path(__file__).parents[2] / "schemas"

JsonObject = dict[str, object]


def documents() -> dict[str, bytes]:
    """File name -> content."""
    written = {name: _written(document) for name, document in message_schemas().items()}
    return written | {"asyncapi.json": _written(asyncapi_document()), "openapi.json": openapi.rendered()}


def _written(document: JsonObject) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


def write_documents(folder: Path = FOLDER) -> None:
    """Write them into the folder, and remove schemas of messages that no longer exist."""
    written = documents()
    folder.mkdir(exist_ok=True)
    for path in folder.glob("tapedeck.*.json"):
        if path.name not in written:
            path.unlink()
    for name, content in written.items():
        (folder / name).write_bytes(content)

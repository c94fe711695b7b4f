"""Every generated document, by its file's name."""

from collections.abc import Callable, Mapping

import orjson

from service.generators.asyncapi import asyncapi_document
from service.generators.json_schemas import message_schemas

JsonObject = dict[str, object]

SOURCES: tuple[Callable[[], Mapping[str, JsonObject]], ...] = (
    message_schemas,
    lambda: {"asyncapi.json": asyncapi_document()},
)
"""Each gives some of the documents. A new kind of document is one more line here."""


def documents() -> dict[str, bytes]:
    """File name -> content."""
    return {name: _written(document) for source in SOURCES for name, document in source().items()}


def _written(document: JsonObject) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"

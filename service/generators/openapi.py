"""The API reference of all dialects as an OpenAPI 3.1 document, generated from what their handlers read and answer."""

from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.dialects.http.operation import Body, Bytes, Form, Operation, ReferencePart
from service.dialects.registry import DIALECTS

_REFERENCE = "#/components/schemas/{model}"

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]


def document() -> Json:
    """The whole document."""
    parts = [dialect.api().reference for dialect in DIALECTS]
    used: list[tuple[type[BaseModel], Mode]] = []
    for operation in (operation for part in parts for operation in part.operations):
        used += [(model, "validation") for model in _models(operation.body)]
        used += [(model, "serialization") for answer in operation.answers.values() for model in _models(answer)]
    references, definitions = models_json_schema(list(dict.fromkeys(used)), ref_template=_REFERENCE)
    paths: dict[str, Json] = {}
    for part in parts:
        for operation in part.operations:
            written = _WrittenOperation(part, operation, references)
            paths.setdefault(operation.path, {})[operation.method.lower()] = written.to_json()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tapedeck",
            "version": version("tapedeck"),
            "description": "Recordings in chunks, over their vendors' own protocols.",
        },
        "tags": [{"name": part.name, "description": part.summary} for part in parts],
        "paths": paths,
        "components": {
            "securitySchemes": {name: dict(scheme) for part in parts for name, scheme in part.security_schemes.items()},
            "schemas": definitions.get("$defs", {}),
        },
    }


def _models(body: Body | tuple[Body, ...]) -> list[type[BaseModel]]:
    if isinstance(body, tuple):
        return [model for one in body for model in _models(one)]
    if isinstance(body, Form):
        return list(body.json_parts.values())
    return [body] if isinstance(body, type) else []


class _WrittenOperation:
    """One operation in OpenAPI's form."""

    def __init__(self, part: ReferencePart, operation: Operation, references: Mapping[Any, Json]) -> None:
        self._part = part
        self._operation = operation
        self._references = references

    def to_json(self) -> Json:
        operation = self._operation
        written: Json = {
            "tags": [self._part.name],
            "summary": operation.summary,
            "operationId": _operation_id(operation),
            "responses": {str(status): self._answer(status) for status in sorted(operation.answers)},
        }
        if operation.security is not None:
            schemes = (operation.security,) if isinstance(operation.security, str) else operation.security
            written["security"] = [{scheme: [] for scheme in schemes}]
        if operation.scope is not None:
            written["description"] = f"Scope: `{operation.scope}`."
        if parameters := [*self._path(), *self._query(), *self._headers()]:
            written["parameters"] = parameters
        if operation.body is not None:
            content = self._content(operation.body, "validation")
            written["requestBody"] = {"required": not operation.body_is_optional, "content": content}
        return written

    def _answer(self, status: int) -> Json:
        written: Json = {"description": HTTPStatus(status).phrase}
        if self._part.answer_headers:
            written["headers"] = {name: dict(header) for name, header in self._part.answer_headers.items()}
        body = self._operation.answers[status]
        bodies = body if isinstance(body, tuple) else (body,)
        if content := {kind: it for one in bodies for kind, it in self._content(one, "serialization").items()}:
            written["content"] = content
        return written

    def _content(self, body: Body, mode: Mode) -> Json:
        if body is None:
            return {}
        if isinstance(body, Bytes):
            return {body.media_type: {"schema": {}}}
        if isinstance(body, Form):
            return {"multipart/form-data": {"schema": self._form(body, mode)}}
        return {"application/json": {"schema": self._references[body, mode]}}

    def _form(self, form: Form, mode: Mode) -> Json:
        texts: Json = {
            name: {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": self._references[of, mode],
            }
            for name, of in form.json_parts.items()
        }
        files: Json = {name: {"type": "string", "format": "binary"} for name in form.file_parts}
        return {"type": "object", "properties": texts | files, "required": list(texts)}

    def _path(self) -> list[Json]:
        return [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}
            for name, pattern in self._operation.path_patterns.items()
        ]

    def _query(self) -> list[Json]:
        if self._operation.query is None:
            return []
        schema = self._operation.query.model_json_schema()
        required = schema.get("required", [])
        return [
            {"name": name, "in": "query", "required": name in required, "schema": _without_null(given)}
            for name, given in schema["properties"].items()
        ]

    def _headers(self) -> list[Json]:
        return [
            {"name": name, "in": "header", "required": name in self._operation.required_headers, "schema": dict(schema)}
            for name, schema in self._operation.headers.items()
        ]


def _operation_id(operation: Operation) -> str:
    words = operation.path.replace(".", "/").replace("-", "/").split("/")
    return "_".join([operation.method.lower(), *(word.strip("{}") for word in words if word and word != "v1")])


def _without_null(schema: Json) -> Json:
    """A query parameter is either there or not; it is never null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return {key: value for key, value in schema.items() if key != "title"}
    return {**kinds[0], **{key: value for key, value in schema.items() if key == "description"}}


def rendered() -> bytes:
    """The document as it is committed and served."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)

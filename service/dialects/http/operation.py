"""An HTTP operation as the API reference shows it. Each dialect has a list of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Bytes:
    """A body that is not JSON."""

    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: text parts that hold JSON, all required, and then files, all optional."""

    json_parts: Mapping[str, type[BaseModel]]
    file_parts: tuple[str, ...]


Body = type[BaseModel] | Bytes | Form | None
"""What a request or an answer contains; None: nothing."""


_ETAG = {"type": "string", "pattern": r'^"[!#-~]{0,80}"$'}

RANGE: Mapping[str, Mapping[str, Any]] = {
    "Range": {"type": "string", "pattern": r"^bytes=[0-9]{0,9}-[0-9]{0,9}$"},
    "If-Range": _ETAG,
    "If-None-Match": _ETAG,
}
"""The headers of a request for a part of what is served, and for what the client does not have yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method at one path.

    `security`: the name of a security scheme, or of several that are needed together, with the required scope; None if
    no key is needed. `query` and `headers` are models whose fields are the parameters; `path` gives each of the path's
    parameters its pattern. Several answers of one status differ in their media type. `is_signed`: the URL itself is the
    permission, so pages of every origin may use it.
    """

    method: str
    path: str
    summary: str
    answers: Mapping[int, Body | tuple[Body, ...]]
    security: str | tuple[str, ...] | None = None
    scope: str | None = None
    body: Body = None
    body_is_optional: bool = False
    query: type[BaseModel] | None = None
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required_headers: frozenset[str] = frozenset()
    path_patterns: Mapping[str, str] = field(default_factory=dict)
    is_signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePart:
    """A dialect's part of the API reference.

    `security_schemes`: in OpenAPI's form. `answer_headers`: the headers of every answer. `request_headers`: further
    ones that clients may send with any request; where one of them matters, its operation has it, too.
    """

    name: str
    summary: str
    operations: tuple[Operation, ...]
    security_schemes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    answer_headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    request_headers: tuple[str, ...] = ()

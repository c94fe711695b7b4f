"""How Bota's operations are told in the API reference: what all of them have in common."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from service.dialects.bota import answers
from service.dialects.bota.access import Permission
from service.dialects.http.operation import Body, Operation

KEY = "key"
BODY_ERRORS = (400, 408, 413, 415)
STORING_ERRORS = (503, 507)
NAMED_ONCE: Mapping[str, Mapping[str, Any]] = {
    "Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-~]+$"}
}
"""The header of a request that is done once, however often it is sent."""

_VERSION = {"Bota-Version": {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}}
"""Accepted, and changes nothing (P): there is one version."""

Answers = Mapping[int, Body | tuple[Body, ...]]


def keyed(
    method: str,
    path: str,
    summary: str,
    permission: Permission,
    answer: Answers,
    *errors: int,
    headers: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> Operation:
    """An operation that needs a key. Any of them may be refused because of the key, the rate, or the log."""
    return unkeyed(
        method,
        path,
        summary,
        answer,
        *errors,
        401,
        403,
        503,
        security=KEY,
        scope=permission.scope,
        headers={**(headers or {}), **_VERSION},
        **more,
    )


def unkeyed(method: str, path: str, summary: str, answer: Answers, *errors: int, **more: Any) -> Operation:
    """An operation that needs none: its URL is signed, or it tells nothing of anybody."""
    told: Answers = dict.fromkeys(sorted({*errors, HTTPStatus.TOO_MANY_REQUESTS}), answers.ErrorAnswer)
    return Operation(method=method, path=path, summary=summary, answers={**told, **answer}, **more)

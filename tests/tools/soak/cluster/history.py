"""What clients asked of the cluster, and what they were answered: the material of the checker."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import orjson


class Operation(StrEnum):
    CREATE = "create"
    PUT = "put"
    FINALIZE = "finalize"
    SHOW = "show"
    CHUNKS = "chunks"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request and its answer. `recording`: the name that its client gave it. `sha256`: of the body that was sent.

    `begun`, `ended`: in seconds of one clock for all. `status`: None if no answer came, as when the connection was cut:
    it may have been done all the same, at once or later.
    """

    client: int
    operation: Operation
    recording: str
    begun: float
    ended: float
    status: int | None
    body: bytes = b""
    retry_after: bool = False
    number: int | None = None
    sha256: str | None = None

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def is_acknowledged(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class History:
    """All calls of a run."""

    def __init__(self, calls: Iterable[Call] = ()) -> None:
        self.calls = list(calls)
        self._acknowledged = sum(call.is_acknowledged for call in self.calls)

    def note(self, call: Call) -> None:
        self.calls.append(call)
        self._acknowledged += call.is_acknowledged

    def acknowledged(self) -> int:
        """How many calls were."""
        return self._acknowledged

    def by_recording(self) -> dict[str, "Life"]:
        found = defaultdict[str, list[Call]](list)
        for call in sorted(self.calls, key=lambda each: each.begun):
            found[call.recording].append(call)
        return {name: Life(name, calls) for name, calls in found.items()}


@dataclass(frozen=True)
class Life:
    """The calls about one recording, in the order in which they began."""

    recording: str
    calls: Sequence[Call]

    def of(self, *operations: Operation) -> list[Call]:
        return [call for call in self.calls if call.operation in operations]

    @cached_property
    def id(self) -> str | None:
        """The public id; None if no client was told one."""
        created = [call for call in self.of(Operation.CREATE) if call.is_acknowledged]
        return created[0].json["id"] if created else None

    @cached_property
    def first_deletion(self) -> float | None:
        """When a client first asked for it."""
        return min((call.begun for call in self.of(Operation.DELETE)), default=None)

    @cached_property
    def deleted(self) -> float | None:
        """When a client first knew that it is deleted. A 404 says so, too: what was asked before was done."""
        known = [call.ended for call in self.of(Operation.DELETE) if call.status in (204, 404)]
        return min(known, default=None)

    @property
    def may_be_deleted(self) -> bool:
        return self.first_deletion is not None

    @property
    def is_finalized(self) -> bool:
        return any(call.is_acknowledged for call in self.of(Operation.FINALIZE))

    def numbers(self) -> set[int]:
        """Of the chunks that a client sent."""
        return {call.number for call in self.of(Operation.PUT) if call.number is not None}

    def possible(self, number: int, *, begun: float, ended: float) -> set[str | None]:
        """The digests that this chunk may have for who reads it at this time; None: there may be no such chunk.

        What was acknowledged before is there, or what was sent and not acknowledged, which may be done at any time, or
        what was being sent. What was acknowledged before that is not.
        """
        puts = [call for call in self.of(Operation.PUT) if call.number == number and call.begun <= ended]
        before = [call for call in puts if call.is_acknowledged and call.ended < begun]
        last_begun = max((call.begun for call in before), default=None)
        standing: set[str | None] = {
            call.sha256 for call in before if last_begun is not None and call.ended >= last_begun
        }
        others = {call.sha256 for call in puts if not (call.is_acknowledged and call.ended < begun)}
        return (standing or {None}) | others


def sha256_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()

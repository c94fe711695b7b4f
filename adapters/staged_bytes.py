"""Bytes that become durable together with the events that refer to them, so that one commit covers both.

The event log needs no more than this; the blob stores provide it.
"""

from collections.abc import Sequence
from typing import Any, Protocol


class Keeper(Protocol):
    """Makes bytes durable that it has been given before."""

    def make_durable(self, bodies: Sequence[Any], /) -> Sequence[Exception | None]:
        """Make these bodies, all of them its own, durable with one sync. Blocking.

        Returns the error for each body, or None. A body that failed counts as never stored, and so does one for which
        this was never called.
        """
        ...


class StagedBytes(Protocol):
    """What an event refers to and what must be durable before the event."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def keeper(self) -> Keeper | None:
        """What makes these bytes durable; None if they already are."""
        ...

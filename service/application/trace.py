"""The trace id of the work at hand: set for each request and by followers, and copied into events and log lines."""

from contextvars import ContextVar

trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)

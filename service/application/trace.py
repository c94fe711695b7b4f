"""The trace id of what is being done: set for each request and by followers, and copied into events and log lines."""

from contextvars import ContextVar

trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)

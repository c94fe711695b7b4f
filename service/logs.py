"""Log lines: JSON, one an event, with the trace id of the request or work they belong to.

Never in a line: a token, a key, a signed URL's query, a transcript, audio.
"""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp.http_exceptions import HttpProcessingError

trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""The trace id of what is being done: set by the HTTP middleware and by followers, copied into events."""

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as one JSON object; what is given as `extra` stands in it under its own name."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (current := trace_id.get()) is not None:
            line["trace_id"] = current
        line.update({name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class WithoutRefusedRequests(logging.Filter):
    """Of a request that is not HTTP, only that there was one: the parser's error quotes it, with its keys."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.msg, record.args, record.exc_info = "a request could not be parsed", None, None
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


def log_to_stderr(level: str) -> None:
    """Send every line of this process to standard error."""
    logging.getLogger("aiohttp.server").addFilter(WithoutRefusedRequests())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # It tells of every try to reach a broker, ten times a second while there is none; the publisher says it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

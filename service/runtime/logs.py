"""Log lines: JSON, one per event, with the trace id of the request or work that they belong to.

Never in a line: a token, a key, a signed URL's query, a transcript, audio.
"""

import atexit
import logging
import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, TextIO

import orjson
from aiohttp.http_exceptions import HttpProcessingError

from service.application.trace import trace_id

SECONDS_BUFFERED = 0.05

WHOLE_BYTES = select.PIPE_BUF
"""What a pipe takes whole, whoever else writes to it."""

_FIRST_EXTRA = len(vars(logging.makeLogRecord({})))
"""What a caller adds to a record comes after the fields that every record begins with."""

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as one JSON object; each `extra` is in it under its own name. `process`: which of several writes it."""

    def __init__(self, process: str | None = None) -> None:
        super().__init__()
        self._process = {} if process is None else {"process": process}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": _at(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._process,
        }
        if (current := trace_id.get()) is not None:
            line["trace_id"] = current
        added = islice(vars(record).items(), _FIRST_EXTRA, None)
        line.update({name: value for name, value in added if name not in _STANDARD_FIELDS})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def _at(created: float) -> str:
    """As ISO 8601, in UTC, to the millisecond. `created`: in seconds since 1970."""
    milliseconds = round(created * 1_000_000) // 1000
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}+00:00"


@lru_cache(maxsize=2)
def _second(since_1970: int) -> str:
    return datetime.fromtimestamp(since_1970, UTC).replace(tzinfo=None).isoformat()


class WithoutRefusedRequests(logging.Filter):
    """Logs that a request was not HTTP, and no more: the parser's error quotes the request, keys included."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.msg, record.args, record.exc_info = "a request could not be parsed", None, None
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


class BufferedLines(logging.Handler):
    """Writes lines in groups: at once from WARNING on, else within SECONDS_BUFFERED.

    A write per line would release the interpreter's lock in the middle of every request. What several processes write
    to one pipe stays whole if it is no longer than the system writes at once: longer groups are written in pieces.
    """

    def __init__(self, stream: TextIO, *, is_shared: bool) -> None:
        super().__init__()
        self._stream = stream
        self._pieces = _whole_pieces if is_shared else _one_piece
        self._lines: list[str] = []
        self._has_lines = threading.Event()
        threading.Thread(target=self._flush_for_ever, name="log-lines", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))
        if record.levelno >= logging.WARNING:
            self.flush()
        elif not self._has_lines.is_set():
            self._has_lines.set()

    def flush(self) -> None:
        with self._writing():
            self._has_lines.clear()
            lines, self._lines = self._lines, []
            for piece in self._pieces(lines):
                self._stream.write(piece)
                self._stream.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _flush_for_ever(self) -> None:
        while True:
            self._has_lines.wait()
            time.sleep(SECONDS_BUFFERED)
            self.flush()


def _one_piece(lines: list[str]) -> Iterator[str]:
    if lines:
        yield "\n".join(lines) + "\n"


def _whole_pieces(lines: list[str]) -> Iterator[str]:
    """The lines in as few pieces as are written whole; a longer line is a piece of its own."""
    piece: list[str] = []
    size_bytes = 0
    for line in lines:
        line_bytes = len(line.encode()) + 1
        if piece and size_bytes + line_bytes > WHOLE_BYTES:
            yield "".join(piece)
            piece, size_bytes = [], 0
        piece.append(line + "\n")
        size_bytes += line_bytes
    if piece:
        yield "".join(piece)


def log_to_stderr(level: str, *, process: str | None = None) -> None:
    """Send every line of this process to standard error. `process`: its name, if it is one of several."""
    logging.getLogger("aiohttp.server").addFilter(WithoutRefusedRequests())
    # What no line shows is not looked up for each line: the caller's frame, thread, process and task.
    logging._srcfile = None  # noqa: SLF001 - as Python's "Logging HOWTO" has it, under Optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if sys.version_info >= (3, 12):
        logging.logAsyncioTasks = False
    handler = BufferedLines(sys.stderr, is_shared=process is not None)
    handler.setFormatter(JsonLines(process))
    atexit.register(handler.flush)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # It reports each attempt to reach a broker, ten times a second while there is none; the publisher reports it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

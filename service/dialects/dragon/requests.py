"""What Dragon's clients send, checked as the vendor does: all failures at once, in one string (S)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from service.application.bounded_json import JsonTooDeep, JsonTooLarge, bounded_loads
from service.dialects.dragon.names import LARGEST_INT32, SessionName
from service.dialects.http.tracing import TRACE_HEADER, is_trace_id

AUDIO_API_VERSION = "2025-07-15"
SESSIONS_API_VERSION = "2"

UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
CORRELATION_ID = r"[A-Za-z0-9_|-]{1,128}"
LONGEST_TEXT = 512
MOST_VALUES_OF_DATA = 50_000
"""In a session's `data`, such as what a health record says of the patient."""


class InvalidRequest(Exception):
    """The request cannot be understood. `str()` lists everything that is wrong with it."""


def check_api_version(request: web.Request, version: str) -> None:
    """(S) Raises: InvalidRequest."""
    if request.query.getall("api-version", []) != [version]:
        raise InvalidRequest(f"api-version must be {version}")


def check_trace_header(request: web.Request) -> None:
    """(S) It is required; (D) it is a UUID. Raises: InvalidRequest."""
    given = request.headers.get(TRACE_HEADER)
    if given is None:
        raise InvalidRequest(f"{TRACE_HEADER} header is required")
    if not is_trace_id(given):
        raise InvalidRequest(f"{TRACE_HEADER} header must be a UUID")


@dataclass(frozen=True, slots=True)
class _Named:
    """What every body says: whose it is, and what it belongs to. Ids are UUIDs in lower case."""

    customer_id: str
    partner_id: str
    product_id: str
    correlation_id: str
    external_user_id: str | None
    ehr_instance_id: str | None

    @property
    def session(self) -> SessionName:
        return SessionName(self.customer_id, self.correlation_id)


@dataclass(frozen=True, slots=True)
class Session(_Named):
    """PUT /ambient-sessions (P). `data` is a string that holds JSON."""

    data: str | None


@dataclass(frozen=True, slots=True)
class RecordingPart(_Named):
    """What identifies a recording, in the metadata of a chunk and in a finalize."""

    recording_number: int
    skips_session_check: bool


@dataclass(frozen=True, slots=True)
class ChunkMetadata(RecordingPart):
    """The `metadata` part of PUT /audio/storeChunk (P). `is_last` is a hint: finalize says what is complete."""

    chunk_number: int
    is_last: bool | None


@dataclass(frozen=True, slots=True)
class FinalizeUpload(RecordingPart):
    """POST /audio/finalizeUpload (S)."""

    total_chunks: int


def parse_session(body: bytes, query: Mapping[str, str]) -> Session:
    """Raises: InvalidRequest."""
    fields = _Fields(body, "The body")
    parsed = Session(**_named(fields, query), data=fields.json_text("data"))
    fields.check()
    return parsed


def parse_session_name(correlation_id: str, query: Mapping[str, str]) -> SessionName:
    """What DELETE /ambient-sessions/{correlationId} names (P). Raises: InvalidRequest."""
    fields = _Fields(orjson.dumps({"correlationId": correlation_id, "customerId": query.get("customerId")}), "")
    parsed = SessionName(fields.uuid("customerId"), fields.correlation_id("correlationId"))
    fields.check()
    return parsed


def parse_chunk_metadata(body: bytes, query: Mapping[str, str], *, max_chunks: int) -> ChunkMetadata:
    """Raises: InvalidRequest."""
    fields = _Fields(body, "The metadata part")
    is_last = fields.flag_if_any("isLast")
    parsed = ChunkMetadata(
        **_named(fields, query),
        recording_number=fields.positive("recordingId"),
        skips_session_check=fields.flag("skipAmbientSessionExistence"),
        chunk_number=fields.positive("chunkId", at_most=max_chunks),
        is_last=is_last,
    )
    fields.check()
    return parsed


def parse_finalize(body: bytes, query: Mapping[str, str], *, max_chunks: int) -> FinalizeUpload:
    """Raises: InvalidRequest."""
    fields = _Fields(body, "The body")
    parsed = FinalizeUpload(
        **_named(fields, query),
        recording_number=fields.positive("recordingId"),
        skips_session_check=fields.flag("skipAmbientSessionExistence"),
        total_chunks=fields.positive("totalChunks", at_most=max_chunks),
    )
    fields.check()
    return parsed


def parse_recording(body: bytes, query: Mapping[str, str]) -> RecordingPart:
    """Which recording a POST /audio/retryUpload means (D). Raises: InvalidRequest."""
    return _recording(_Fields(body, "The body"), query)


def parse_recording_query(query: Mapping[str, str]) -> RecordingPart:
    """Which recording a GET means (D): the same fields, in the query. Raises: InvalidRequest."""
    given: dict[str, Any] = dict(query)
    number = given.get("recordingId", "")
    if _WHOLE_NUMBER.fullmatch(number):
        given["recordingId"] = int(number)
    given["skipAmbientSessionExistence"] = given.get("skipAmbientSessionExistence") == "true"
    return _recording(_Fields(orjson.dumps(given), "The query"), query)


def parse_chunk_number(text: str) -> int:
    """The chunkId in a path (D). Raises: InvalidRequest."""
    if not _WHOLE_NUMBER.fullmatch(text):
        raise InvalidRequest("chunkId must be a positive integer (> 0), or 'all'")
    return int(text)


_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


def _recording(fields: "_Fields", query: Mapping[str, str]) -> RecordingPart:
    parsed = RecordingPart(
        **_named(fields, query),
        recording_number=fields.positive("recordingId"),
        skips_session_check=fields.flag("skipAmbientSessionExistence"),
    )
    fields.check()
    return parsed


def _named(fields: "_Fields", query: Mapping[str, str]) -> dict[str, Any]:
    named = {
        "product_id": fields.uuid("productId"),
        "partner_id": fields.uuid("partnerId"),
        "customer_id": fields.uuid("customerId"),
        "correlation_id": fields.correlation_id("correlationId"),
        "external_user_id": fields.text("externalUserId"),
        "ehr_instance_id": fields.text("ehrInstanceId"),
    }
    asked_for = query.get("customerId")  # (P) clients send it in the query, too
    if asked_for is not None and named["customer_id"] and asked_for.lower() != named["customer_id"]:
        fields.failures.append("customerId in the query must equal the body's")
    return named


class _Fields:
    """A JSON object's fields, read one by one; `failures` collects everything that is wrong, to report it all."""

    def __init__(self, body: bytes, where: str) -> None:
        try:
            given = bounded_loads(body)
        except (orjson.JSONDecodeError, JsonTooDeep, JsonTooLarge) as error:
            raise InvalidRequest(f"{where} is not JSON: {error}") from None
        if not isinstance(given, dict):
            raise InvalidRequest(f"{where} must be a JSON object")
        self._given: dict[str, Any] = given
        self.failures: list[str] = []

    def check(self) -> None:
        """Raises: InvalidRequest if anything was wrong."""
        if self.failures:
            raise InvalidRequest("; ".join(self.failures))

    def uuid(self, name: str) -> str:
        given = self._given.get(name)
        if isinstance(given, str) and re.fullmatch(UUID, given):
            return given.lower()
        self.failures.append(f"{name} is required (valid UUID)")
        return ""

    def correlation_id(self, name: str) -> str:
        given = self._given.get(name)
        if not isinstance(given, str) or not given:
            self.failures.append(f"{name} is required (non-empty string)")
            return ""
        if not re.fullmatch(CORRELATION_ID, given):
            self.failures.append(f"{name} must be at most 128 letters, digits, '_', '-' or '|'")
        return given

    def positive(self, name: str, *, at_most: int = LARGEST_INT32) -> int:
        given = self._given.get(name)
        if isinstance(given, int | float) and given > at_most:  # an integer beyond 64 bits is parsed as a float
            self.failures.append(f"{name} must be at most {at_most}")
        elif isinstance(given, bool) or not isinstance(given, int) or given < 1:
            self.failures.append(f"{name} must be a positive integer (> 0)")
        else:
            return given
        return 0

    def text(self, name: str) -> str | None:
        given = self._given.get(name)
        if given is None or (isinstance(given, str) and len(given) <= LONGEST_TEXT):
            return given
        self.failures.append(f"{name} must be a string of at most {LONGEST_TEXT} characters")
        return None

    def json_text(self, name: str) -> str | None:
        given = self._given.get(name)
        if given is None or (isinstance(given, str) and _holds_json(given)):
            return given
        self.failures.append(f"{name} must be a string that holds JSON")
        return None

    def flag(self, name: str) -> bool:
        return bool(self.flag_if_any(name))

    def flag_if_any(self, name: str) -> bool | None:
        given = self._given.get(name)
        if given is None or isinstance(given, bool):
            return given
        self.failures.append(f"{name} must be true or false")
        return None


def _holds_json(text: str) -> bool:
    try:
        bounded_loads(text, most_values=MOST_VALUES_OF_DATA)
    except (orjson.JSONDecodeError, JsonTooDeep, JsonTooLarge):
        return False
    return True

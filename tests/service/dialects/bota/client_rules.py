"""What every example client of Bota's checks in every answer, and stops at (REFERENCE.md, "What its clients check")."""

import json
import math
import re
from typing import Any

MEBIBYTE = 2**20
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
PREFIXES = {
    "project_id": "proj_",
    "recording_id": "rec_",
    "transcription_id": "txn_",
    "end_user_id": "eu_",
    "device_id": "dev_",
    "chunk_id": "chk_",
    "media_id": "med_",
}
RECORDING = {"pending", "streaming", "uploaded", "processing", "completed", "failed", "integrity_failure"}
TRANSCRIPTION = {"pending", "processing", "completed", "failed"}
RECORDING_KEYS = {
    "id", "device_id", "end_user_id", "source", "status", "duration_seconds", "recorded_at", "created_at", "updated_at",
    "content_sha256", "content_sha256_verified_at", "project_id", "media",
}  # fmt: skip
TRANSCRIPTION_KEYS = {
    "id", "project_id", "recording_id", "status", "provider", "language", "word_count", "segments", "full_text",
    "created_at", "started_at", "completed_at", "updated_at",
}  # fmt: skip
CREATES = {"recordings", "transcriptions", "transcribe", "summaries", "webhooks", "end-users", "devices", "keys"}
REPEATS = {"retry", "redeliver"}
"""(D) Operations of this service's own, which clients of the vendor do not know: 202."""


def status_wanted(method: str, path: str) -> int:
    """The one status that clients take for a success: 201 for what is created, 200 for any other answer."""
    last = path.rpartition("/")[2]
    if method == "POST" and last in REPEATS:
        return 202
    if method == "POST" and last in CREATES:
        return 201
    return 204 if method == "DELETE" else 200


def check_answer(method: str, path: str, status: int, body: bytes, headers: Any, *, project_id: str) -> Any:
    """The answer's JSON, if clients take it. `path`: as the reference has it."""
    assert status == status_wanted(method, path), (method, path, status, body)
    assert headers.get("Content-Encoding", "identity") == "identity"
    if status == 204:
        assert body == b""
        return None
    assert re.fullmatch(r"application/json(;.*)?", headers["Content-Type"]), headers["Content-Type"]
    assert int(headers["Content-Length"]) == len(body) <= (2 if is_list(method, path) else 1) * MEBIBYTE
    answer = json.loads(body.decode(), object_pairs_hook=_without_twins, parse_constant=_refuse)
    _check_values(answer, "", project_id)
    if is_list(method, path) and "next_cursor" in answer:
        _check_page(answer)
    return answer


def is_list(method: str, path: str) -> bool:
    return method == "GET" and path.rpartition("/")[2] in {"recordings", "end-users", "devices", *CREATES}


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs), "a key comes twice"
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def _check_values(value: Any, name: str, project_id: str) -> None:
    if isinstance(value, dict):
        _check_object(value, project_id)
        for each, inner in value.items():
            _check_values(inner, each, project_id)
    elif isinstance(value, list):
        for inner in value:
            _check_values(inner, name, project_id)
    elif isinstance(value, float):
        assert math.isfinite(value)
    elif isinstance(value, str):
        assert not re.search(r"[\ud800-\udfff]", value), "a lone surrogate"
        _check_text(value, name)


def _check_text(value: str, name: str) -> None:
    if name.endswith("_at") and name != "stitched_at":
        assert TIME.fullmatch(value), (name, value)
    if name in PREFIXES:
        assert re.fullmatch(PREFIXES[name] + r"[A-Za-z0-9]{1,64}", value), (name, value)
    if name.endswith("sha256"):
        assert re.fullmatch(r"[0-9a-f]{64}", value), (name, value)


def _check_object(value: dict[str, Any], project_id: str) -> None:
    assert value.get("deleted_at") is None
    assert value.get("status") != "deleted"
    assert value.get("project_id", project_id) == project_id
    its_id = str(value.get("id", ""))
    if its_id.startswith("rec_") and "media" in value:
        _check_recording(value)
    if its_id.startswith("txn_"):
        _check_transcription(value)


def _check_recording(value: dict[str, Any]) -> None:
    assert value.keys() >= RECORDING_KEYS
    assert value["status"] in RECORDING
    assert value["source"] in ("device", "api_upload")
    assert value["duration_seconds"] is None or type(value["duration_seconds"]) is int
    assert (value["content_sha256_verified_at"] is None) or value["content_sha256"]
    for name in ("created_at", "updated_at"):
        assert value[name] is not None


def _check_transcription(value: dict[str, Any]) -> None:
    assert value.keys() >= TRANSCRIPTION_KEYS
    assert value["status"] in TRANSCRIPTION
    assert value["word_count"] is None or type(value["word_count"]) is int
    assert value["provider"] is None or 1 <= len(value["provider"]) <= 64
    assert value["status"] != "completed" or isinstance(value["full_text"], str)
    assert None not in (value["created_at"], value["updated_at"])
    before = 0.0
    for segment in value["segments"] or []:
        assert before <= segment["start"] < segment["end"] <= 604_800
        before = segment["start"]
        assert 1 <= len(segment["text"]) <= 10_000
        assert all(value is not None for value in segment.values())


def _check_page(answer: dict[str, Any]) -> None:
    assert type(answer["has_more"]) is bool
    assert (answer["next_cursor"] is not None) is answer["has_more"]
    assert answer["data"] or not answer["has_more"]
    ids = [row["id"] for row in answer["data"]]
    assert len(set(ids)) == len(ids)

"""What an answer is called: its status and, of a refusal, what the service itself calls it."""

import re
from typing import Any

import orjson

LONGEST = 110
_ID = re.compile(r"\b(?:rec|wh|eu|dev|proj|sum|tr|txn|req|ses)_\w+")
_DIGEST = re.compile(r"\b[0-9a-f]{8}-?[0-9a-f-]{20,}\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def answer_name(status: int, body: bytes = b"") -> str:
    """Such as `400 invalid_request: Chunk number N is not between N and N.`, the same whichever numbers it names."""
    if status < 400:
        return str(status)
    code, sentence = _refusal(body)
    return f"{status} {f'{code}: ' if code else ''}{_without_numbers(sentence)}"[:LONGEST]


def end_name(recording: dict[str, Any]) -> str:
    """How a recording of Bota's has ended, such as `failed not_audio: Chunk N holds no audio.`"""
    failure = recording.get("failure")
    if failure is None:
        return f"ended: {recording['status']}"
    return f"failed {failure.get('reason', failure['stage'])}: {_without_numbers(failure['message'])}"[:LONGEST]


def _without_numbers(sentence: str) -> str:
    return _NUMBER.sub("N", _DIGEST.sub("ID", _ID.sub("ID", sentence)))


def _refusal(body: bytes) -> tuple[str, str]:
    """Its code, if its dialect has codes, and its sentence: Bota's form, Dragon's, Dorsum's, or plain text."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", body.decode(errors="replace").strip()
    match found:
        case {"error": {"code": str(code), "message": str(sentence)}}:
            return code, sentence
        case {"error": str(sentence)} | {"message": str(sentence)}:
            return "", sentence
        case _:
            return "", ""

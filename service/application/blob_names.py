"""Prefixes of blob keys: one per recording and, within it, one per kind of blob."""

import re
from uuid import UUID


def recording_prefix(recording_id: UUID) -> str:
    """The prefix of the keys of all the recording's blobs, and of no other recording's."""
    return f"recordings/{recording_id.hex}/"


def blob_prefix(recording_id: UUID, kind: str) -> str:
    """The prefix of the keys of the recording's blobs of one kind."""
    return f"{recording_prefix(recording_id)}{kind}-"


_RECORDING_KEY = re.compile(r"recordings/(?P<recording_id>[0-9a-f]{32})/")


def recording_of(key: str) -> UUID | None:
    """The recording whose prefix this key has; None if it has none."""
    form = _RECORDING_KEY.match(key)
    return None if form is None else UUID(hex=form["recording_id"])


def made_prefix(recording_id: UUID, kind: str, edition: int) -> str:
    """The prefix of the keys of blobs that a stage makes of an edition of the recording.

    No two editions share a key, though they may be made of the same bytes: so an earlier one's can be erased while the
    next is being made.
    """
    return blob_prefix(recording_id, f"{kind}-{edition}" if edition else kind)


MADE = ("audio", "part", "transcript", "note")
"""The kinds of blobs that stages make."""

_MADE_KEY = re.compile(rf"recordings/[0-9a-f]{{32}}/(?:{'|'.join(MADE)})-(?:(?P<edition>[0-9]+)-)?[0-9a-f]{{64}}")


def edition_of(key: str) -> int | None:
    """Of which edition this was made; None for the key of a blob that no stage made."""
    form = _MADE_KEY.fullmatch(key)
    return None if form is None else int(form["edition"] or 0)

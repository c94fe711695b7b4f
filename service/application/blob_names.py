"""Prefixes of blob keys: one per recording and, within it, one per kind of blob."""

from uuid import UUID


def recording_prefix(recording_id: UUID) -> str:
    """The prefix of the keys of all the recording's blobs, and of no other recording's."""
    return f"recordings/{recording_id.hex}/"


def blob_prefix(recording_id: UUID, kind: str) -> str:
    """The prefix of the keys of the recording's blobs of one kind."""
    return f"{recording_prefix(recording_id)}{kind}-"

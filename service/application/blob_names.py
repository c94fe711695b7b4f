"""What the keys of blobs begin with: a recording's own, and within them those of one kind."""

from uuid import UUID


def recording_prefix(recording_id: UUID) -> str:
    """What the keys of all blobs of a recording begin with, and of no other's."""
    return f"recordings/{recording_id.hex}/"


def blob_prefix(recording_id: UUID, kind: str) -> str:
    """What the keys of a recording's blobs of one kind begin with."""
    return f"{recording_prefix(recording_id)}{kind}-"

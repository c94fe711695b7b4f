"""Bota's ids: a prefix and the recording's UUID in hex, so that an id finds its recording without an index.

Source: REFERENCE.md, "Keys" (P): a prefix, then letters and digits only, at most 64 characters.
"""

import re
from uuid import UUID

from domain.errors import RecordingNotFound
from domain.events import AmbientSessionOpened, RecordingOpened

DEVICE_ID = r"^dev_[A-Za-z0-9]{1,60}$"
END_USER_ID = r"^eu_[A-Za-z0-9]{1,61}$"

DIALECT = "bota"

_HEX = re.compile(r"[0-9a-f]{32}", re.ASCII)


def public_recording_id(recording_id: UUID) -> str:
    return f"rec_{recording_id.hex}"


def public_transcription_id(recording_id: UUID) -> str:
    return f"txn_{recording_id.hex}"


def public_media_id(recording_id: UUID) -> str:
    return f"med_{recording_id.hex}"


def stitching_job_id(recording_id: UUID) -> str:
    return f"job_{recording_id.hex}"


def client_ids(recording_id: UUID, _: RecordingOpened | AmbientSessionOpened) -> dict[str, str]:
    """What Bota's clients call a recording."""
    return {
        "recording_id": public_recording_id(recording_id),
        "transcription_id": public_transcription_id(recording_id),
    }


def recording_id_of(public_id: str) -> UUID:
    """The recording that a `rec_` id stands for. Raises: RecordingNotFound for anything that is not such an id."""
    return _id_behind("rec_", public_id)


def recording_id_of_transcription(public_id: str) -> UUID:
    """The recording that a `txn_` id belongs to. Raises: RecordingNotFound likewise."""
    return _id_behind("txn_", public_id)


def _id_behind(prefix: str, public_id: str) -> UUID:
    suffix = public_id.removeprefix(prefix)
    if suffix == public_id or not _HEX.fullmatch(suffix):
        raise RecordingNotFound
    return UUID(hex=suffix)

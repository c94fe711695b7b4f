"""Bota's ids: a prefix and the recording's UUID in hex, so that an id finds its recording without an index.

Source: REFERENCE.md, "Keys" (P): a prefix, then letters and digits only, at most 64 characters.
"""

import re
from functools import lru_cache
from uuid import UUID

from domain.ambient_session import AmbientSessionNotFound
from domain.errors import RecordingNotFound
from domain.events import NoteOrdered, OpeningEvent
from domain.note_order import NoteOrderNotFound

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


def public_summary_id(order_id: UUID) -> str:
    return f"sum_{order_id.hex}"


def public_session_id(session_id: UUID) -> str:
    return f"ses_{session_id.hex}"


def client_ids(its_id: UUID, opened: OpeningEvent) -> dict[str, str]:
    """What Bota's clients call a recording, or a note that they ordered, which they call a summary."""
    if isinstance(opened, NoteOrdered):
        return {"summary_id": public_summary_id(its_id), **_ids_of_recording(opened.recording_id)}
    return _ids_of_recording(its_id)


def _ids_of_recording(recording_id: UUID) -> dict[str, str]:
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


def order_id_of_summary(public_id: str) -> UUID:
    """The note order that a `sum_` id stands for. Raises: NoteOrderNotFound likewise."""
    try:
        return _id_behind("sum_", public_id)
    except RecordingNotFound:
        raise NoteOrderNotFound from None


def session_id_of(public_id: str) -> UUID:
    """The ambient session that a `ses_` id stands for. Raises: AmbientSessionNotFound likewise."""
    try:
        return _id_behind("ses_", public_id)
    except RecordingNotFound:
        raise AmbientSessionNotFound from None


@lru_cache(maxsize=4_096)
def _id_behind(prefix: str, public_id: str) -> UUID:
    suffix = public_id.removeprefix(prefix)
    if suffix == public_id or not _HEX.fullmatch(suffix):
        raise RecordingNotFound
    return UUID(hex=suffix)

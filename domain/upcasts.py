"""How an older event's stored shape becomes today's: one function per step, applied in turn on reading."""

from collections.abc import Callable
from typing import Any

Fields = dict[str, Any]


def _opened_without_word_of_notes(fields: Fields) -> Fields:
    # A few rows of version 1 have the field: it was added before the version was raised.
    return {"note_wanted": False} | fields


def _opened_without_word_of_language(fields: Fields) -> Fields:
    return fields | {"language": None}


_PCM_CODEC = "pcm_s16le"


def _opened_with_its_kind_in_its_codec(fields: Fields) -> Fields:
    """Bota named a codec for what it streamed, Dorsum named this one, and Dragon, which only streamed, named none."""
    if fields["codec"] == _PCM_CODEC:
        kind = "samples"
    elif fields["codec"] is None and fields["dialect"] == "bota":
        kind = "whole_file"
    else:
        kind = "streamed"
    return fields | {"kind": kind}


def _opened_without_words_of_its_source(fields: Fields) -> Fields:
    """Until then, the time of recording was known as that of its start only."""
    unknown = {"source": None, "upload_method": None, "recording_uuid": None, "recording_generation": None}
    return fields | unknown | {"recorded_at": fields["started_at"]}


def _chunk_with_a_number(fields: Fields) -> Fields:
    return fields | {"request_sha256": None}


def _chunk_of_any_content(fields: Fields) -> Fields:
    return fields | {"looks_like": None, "sample_scale": None}


def _chunk_of_any_size(fields: Fields) -> Fields:
    return fields | {"expected_bytes": None}


def _finalized_without_suspicion(fields: Fields) -> Fields:
    return fields | {"suspect_chunks": ()}


def _finalized_by_the_caller(fields: Fields) -> Fields:
    return fields | {"by_itself": False}


def _stitched_without_damage(fields: Fields) -> Fields:
    """Until then, stitching used every chunk or failed."""
    return fields | {"damage": ()}


def _note_of_the_engine_that_was_to_write_it(fields: Fields) -> Fields:
    return fields | {"fallback_reason": None}


def _note_whose_citations_nobody_looked_up(fields: Fields) -> Fields:
    return fields | {"unsupported_share": None}


UPCASTS: dict[tuple[str, int], Callable[[Fields], Fields]] = {
    ("RecordingOpened", 1): _opened_without_word_of_notes,
    ("RecordingOpened", 2): _opened_without_word_of_language,
    ("RecordingOpened", 3): _opened_with_its_kind_in_its_codec,
    ("RecordingOpened", 4): _opened_without_words_of_its_source,
    ("ChunkStored", 1): _chunk_with_a_number,
    ("ChunkStored", 2): _chunk_of_any_content,
    ("ChunkStored", 3): _chunk_of_any_size,
    ("FinalizeRequested", 1): _finalized_without_suspicion,
    ("FinalizeRequested", 2): _finalized_by_the_caller,
    ("Stitched", 1): _stitched_without_damage,
    ("NoteWritten", 1): _note_of_the_engine_that_was_to_write_it,
    ("NoteWritten", 2): _note_whose_citations_nobody_looked_up,
    ("NoteOrderFulfilled", 1): _note_whose_citations_nobody_looked_up,
}
"""(event name, version it upcasts from) -> the fields of the next version."""


class UnknownEventVersion(Exception):
    """An event was stored by a newer tapedeck than this one, or an upcast is missing."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"The log holds {name} in version {version}, which this version of tapedeck cannot read; "
            "start the version that wrote it, or a newer one."
        )
        self.name = name
        self.version = version


def upcast(name: str, fields: Fields, *, version: int, to_version: int) -> Fields:
    """The fields of a stored event, upcast from `version` to `to_version`.

    Raises: UnknownEventVersion if no chain of upcasts leads there.
    """
    while version != to_version:
        lift = UPCASTS.get((name, version))
        if lift is None:
            raise UnknownEventVersion(name, version)
        fields = lift(fields)
        version += 1
    return fields

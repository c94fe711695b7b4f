"""Summaries as the API reference shows them."""

from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer, NoteAnswer, NoteVersionsAnswer
from service.dialects.bota.operations import BODY_ERRORS, NAMED_ONCE, STORING_ERRORS, keyed
from service.dialects.bota.written_summaries.messages import CreateSummary, SummariesPageRequest, SummaryAnswer
from service.dialects.http.notes import IF_MATCH, IF_NONE_MATCH, VERSION_NUMBER, EditNoteRequest

_RECORDING = {"recording_id": r"^rec_[A-Za-z0-9]{1,60}$"}

NOTES = (
    keyed(
        "GET",
        "/v1/recordings/{recording_id}/note",
        "The note of a recording, if one was written",
        access.READ_SUMMARIES,
        {200: NoteAnswer, 304: None},
        404,
        409,
        headers=IF_NONE_MATCH,
        path_patterns=_RECORDING,
    ),
    keyed(
        "PUT",
        "/v1/recordings/{recording_id}/note",
        "Store the note of a recording as a person has corrected it",
        access.WRITE_SUMMARIES,
        {200: NoteAnswer},
        404,
        409,
        412,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=EditNoteRequest,
        headers=IF_MATCH,
        path_patterns=_RECORDING,
    ),
    keyed(
        "GET",
        "/v1/recordings/{recording_id}/note/versions",
        "The versions of a note: which, when, by whom",
        access.READ_SUMMARIES,
        {200: NoteVersionsAnswer},
        404,
        409,
        path_patterns=_RECORDING,
    ),
    keyed(
        "GET",
        "/v1/recordings/{recording_id}/note/versions/{number}",
        "A version of a note",
        access.READ_SUMMARIES,
        {200: NoteAnswer, 304: None},
        404,
        409,
        headers=IF_NONE_MATCH,
        path_patterns={**_RECORDING, "number": VERSION_NUMBER},
    ),
)

OPERATIONS = (
    keyed(
        "POST",
        "/v1/summaries",
        "Have a completed transcription summarized, by a template or by a prompt",
        access.WRITE_SUMMARIES,
        {201: SummaryAnswer},
        404,
        409,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=CreateSummary,
        headers=NAMED_ONCE,
    ),
    keyed(
        "GET",
        "/v1/summaries",
        "List summaries, newest first",
        access.READ_SUMMARIES,
        {200: ListAnswer[SummaryAnswer]},
        400,
        query=SummariesPageRequest,
    ),
    keyed(
        "GET",
        "/v1/summaries/{summary_id}",
        "A summary, however far it has come",
        access.READ_SUMMARIES,
        {200: SummaryAnswer},
        404,
        path_patterns={"summary_id": r"^sum_[A-Za-z0-9]{1,60}$"},
    ),
    *NOTES,
)

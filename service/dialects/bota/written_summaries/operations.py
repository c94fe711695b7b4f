"""Summaries as the API reference shows them."""

from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer
from service.dialects.bota.operations import BODY_ERRORS, NAMED_ONCE, STORING_ERRORS, keyed
from service.dialects.bota.written_summaries.messages import CreateSummary, SummariesPageRequest, SummaryAnswer

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
)

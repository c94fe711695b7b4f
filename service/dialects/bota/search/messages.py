"""What a search asks, and what it is answered (REFERENCE.md, "Search")."""

from typing import Annotated

from pydantic import AfterValidator, Field

from service.dialects.bota.answers import Answer, Count, Time, TranscriptionId
from service.dialects.bota.answers import RecordingId as AnsweredRecordingId
from service.dialects.bota.requests import BotaRequest, EndUserId, RecordingId

MOST_QUERY_UNITS = 1_000
"""In UTF-16, as JavaScript counts."""

MOST_RECORDINGS = 500
LARGEST_PAGE = 50
LONGEST_SPEAKER = 128


def _short_enough(query: str) -> str:
    if len(query.encode("utf-16-le")) // 2 > MOST_QUERY_UNITS:
        raise ValueError(f"String should have at most {MOST_QUERY_UNITS} UTF-16 code units")
    return query


def _distinct(ids: list[str]) -> list[str]:
    if len(set(ids)) < len(ids):
        raise ValueError("Every id should be there only once")
    return ids


class SearchRecordings(BotaRequest):
    """POST /v1/recordings/search (P). (D) 10 results where no `limit` is given."""

    query: Annotated[str, Field(min_length=1, max_length=MOST_QUERY_UNITS), AfterValidator(_short_enough)]
    end_user_id: EndUserId
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 10
    recording_ids: (
        Annotated[
            list[RecordingId],
            Field(min_length=1, max_length=MOST_RECORDINGS, json_schema_extra={"uniqueItems": True}),
            AfterValidator(_distinct),
        ]
        | None
    ) = None


class SearchResultAnswer(Answer):
    """A passage. `score`: higher is better; (D) from 0 to 1, and above 0.8 if it has all words of the query."""

    chunk_id: Annotated[str, Field(pattern=r"^chk_[A-Za-z0-9]{1,60}$")]
    recording_id: AnsweredRecordingId
    transcription_id: TranscriptionId
    chunk_text: Annotated[str, Field(min_length=1, max_length=32_768)]
    speaker: Annotated[str, Field(max_length=LONGEST_SPEAKER)] | None
    start_ms: Count
    end_ms: Count
    recorded_at: Time | None
    score: Annotated[float, Field(ge=0)]


class SearchAnswer(Answer):
    """The best first."""

    results: list[SearchResultAnswer]

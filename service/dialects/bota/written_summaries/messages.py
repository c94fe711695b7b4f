"""What is asked for summaries, and what is answered (REFERENCE.md, "Summaries")."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from domain.events import NoteTemplate
from service.dialects.bota.answers import Answer, Time, TranscriptionId
from service.dialects.bota.paging import PageRequest
from service.dialects.bota.requests import BotaRequest

SummaryStatus = Literal["pending", "processing", "completed", "failed"]
SummaryProvider = Literal["gemini", "openai", "claude"]
SummaryId = Annotated[str, Field(pattern=r"^sum_[A-Za-z0-9]{1,60}$")]
TranscriptionIdAskedFor = Annotated[str, Field(pattern=r"^txn_[A-Za-z0-9]{1,60}$")]

DEFAULT_PROVIDER: SummaryProvider = "gemini"

TEMPLATE_IDS: Mapping[NoteTemplate, str] = {
    NoteTemplate.GENERAL: "tmpl_general_notes",
    NoteTemplate.SALES: "tmpl_sales_call",
    NoteTemplate.CLINICAL: "tmpl_clinical_soap",
    NoteTemplate.LEGAL: "tmpl_legal_memo",
}


class CreateSummary(BotaRequest):
    """POST /v1/summaries: exactly one of a template and a prompt. `template`: as older clients name it."""

    transcription_id: TranscriptionIdAskedFor
    template_id: Annotated[str, Field(min_length=1, max_length=64, examples=["tmpl_general_notes"])] | None = None
    template: Annotated[str, Field(min_length=1, max_length=64, examples=["general"])] | None = None
    prompt: Annotated[str, Field(min_length=10, max_length=10_000)] | None = None
    provider: SummaryProvider | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(each is not None for each in (self.template_id, self.template, self.prompt)) != 1:
            raise ValueError("Give exactly one of template_id and prompt")
        return self


class SummariesPageRequest(PageRequest):
    """GET /v1/summaries."""

    transcription_id: TranscriptionIdAskedFor | None = None


class SummaryAnswer(Answer):
    """`provider` is the one that was asked for; `engine` (D) names what wrote it.

    `fallback_reason` (D) is only there if that is not what should have written it, and says why. `about` (D) is only
    there for quotations, and says that they are and how they were chosen.
    `unsupported_share` (D) is only there if some of what it stated is left out, because the transcript does not have
    the words that it cites.
    """

    id: SummaryId
    project_id: str
    transcription_id: TranscriptionId
    status: SummaryStatus
    template_id: str | None
    provider: SummaryProvider
    custom_prompt: str | None
    output: dict[str, Any] | None
    engine: str | None
    error_message: str | None
    started_at: Time | None
    completed_at: Time | None
    created_at: Time
    updated_at: Time
    fallback_reason: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    about: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    unsupported_share: Annotated[float | None, Field(ge=0, le=1, exclude_if=lambda value: not value)] = None

"""Bota's words for a note order (P): every field is there, null if nothing is known."""

from typing import Any
from uuid import UUID

from adapters.notes.orders import OrderedNote
from domain.events import NoteOrderFailed
from domain.note_order import NoteOrder
from service.dialects.bota.identifiers import public_summary_id, public_transcription_id
from service.dialects.bota.written_summaries.messages import (
    DEFAULT_PROVIDER,
    TEMPLATE_IDS,
    SummaryAnswer,
    SummaryStatus,
)
from service.dialects.http.json_answers import utc_text

_CONTENT = {"output", "custom_prompt", "about"}


def summary_answer(order_id: UUID, order: NoteOrder, prompt: str | None, note: OrderedNote | None) -> SummaryAnswer:
    """`prompt` and `note`: what the order's blobs hold, as far as there are any."""
    ordered, fulfilled = order.ordered, order.fulfilled
    return SummaryAnswer.model_validate(
        {
            "id": public_summary_id(order_id),
            "project_id": ordered.tenant_id,
            "transcription_id": public_transcription_id(ordered.recording_id),
            "status": _status(order),
            "template_id": None if ordered.template is None else TEMPLATE_IDS[ordered.template],
            "provider": ordered.provider or DEFAULT_PROVIDER,
            "custom_prompt": prompt,
            "output": note.output if note else None,
            "engine": fulfilled.engine if fulfilled else None,
            "error_message": _error_message(order.failed) if order.failed else None,
            "started_at": utc_text(order.begun_at),
            "completed_at": utc_text(fulfilled.at) if fulfilled else None,
            "created_at": utc_text(ordered.at),
            "updated_at": utc_text(order.updated_at),
            "fallback_reason": fulfilled.fallback_reason if fulfilled else None,
            "about": note.about if note else None,
            "unsupported_share": fulfilled.unsupported_share if fulfilled else None,
        }
    )


def summary_facts(order_id: UUID, order: NoteOrder) -> dict[str, Any]:
    """The answer without content: neither the prompt nor the note."""
    return summary_answer(order_id, order, None, None).model_dump(exclude=_CONTENT)


def _status(order: NoteOrder) -> SummaryStatus:
    if order.failed is not None:
        return "failed"
    if order.fulfilled is not None:
        return "completed"
    return "pending" if order.begun_at is None else "processing"


def _error_message(failed: NoteOrderFailed) -> str:
    """(D) One of the codes that are listed (P), and a sentence."""
    code = failed.reason if failed.reason == "transcript_too_short" else "processing_error"
    return f"{code}: {failed.message}"

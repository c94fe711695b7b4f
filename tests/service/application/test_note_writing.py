"""Notes in the running service: by the writer that was set, and by quotation where that fails, which the event says."""

from uuid import UUID

import pytest

from domain.events import NoteWritten
from service.runtime.settings import BadSettings, load_settings
from tests.adapters.notes.endpoint import SECTIONS, chat_endpoint, completion
from tests.end_to_end.dorsum_client import Dorsum, keys_in, sections_of
from tests.service.running_service import TurnedClock, running_service


@pytest.fixture
async def endpoint():
    async with chat_endpoint() as endpoint:
        yield endpoint


async def note_of(tmp_path, endpoint, **settings):
    """The final answer of a short session, and its NoteWritten."""
    chosen = {
        "note_writer": "openai",
        "note_writer_url": endpoint.url,
        "note_writer_model": "m",
        "dorsum_seconds": 170,
    } | settings
    async with running_service(tmp_path / "data", TurnedClock(), **chosen) as running:
        dorsum = Dorsum(running.settings.base_url, keys_in(tmp_path / "data"))
        final = await dorsum.send([1, 2, 3], final=True)
        assert final.status == 200
        assert (await dorsum.send([1, 2, 3], final=True)).body == final.body
        history = await running.stores.log.history(UUID(final.json["task_id"]))
        (written,) = [recorded.event for recorded in history if isinstance(recorded.event, NoteWritten)]
        return final.json, written


async def test_a_language_models_note_says_that_it_is_one_and_a_draft(tmp_path, endpoint):
    final, written = await note_of(tmp_path, endpoint)
    assert (written.engine, written.fallback_reason) == ("openai", None)
    assert final["clinical_notes"].startswith(
        "DRAFT, to be reviewed by a clinician. It was written by a language model from the transcript."
    )
    assert {title.lower(): said for title, said in sections_of(final["clinical_notes"]).items()} == SECTIONS
    assert len(endpoint.requests) == 1  # the repetition was answered from what is stored


async def test_a_second_try_helps_where_the_first_did_not(tmp_path, endpoint):
    endpoint.answers = [(503, {}), (200, completion("nonsense")), (200, completion(SECTIONS))]
    _, written = await note_of(tmp_path, endpoint, note_writer_attempts=3)
    assert (written.engine, written.fallback_reason, len(endpoint.requests)) == ("openai", None, 3)


@pytest.mark.parametrize(
    ("answer", "tries", "reason"),
    [
        ((500, {}), 2, "note_writer_unavailable"),
        ((200, completion("nonsense")), 2, "note_unusable"),
        ((401, {}), 1, "note_writer_refused"),
    ],
)
async def test_a_writer_that_fails_leaves_a_note_of_quotations_and_the_event_says_so(
    tmp_path, endpoint, answer, tries, reason
):
    endpoint.answers = [answer]
    final, written = await note_of(tmp_path, endpoint)
    assert (written.engine, written.fallback_reason, len(endpoint.requests)) == ("extractive", reason, tries)
    assert "quoted from the transcript" in final["clinical_notes"]


def test_a_language_model_needs_an_address_and_a_name(monkeypatch):
    with pytest.raises(BadSettings, match="TAPEDECK_NOTE_WRITER=openai needs TAPEDECK_NOTE_WRITER_URL"):
        load_settings(note_writer="openai", note_writer_model="m")

"""Notes in the running service: by the writer that was set, and by quotation where that fails, which the event says."""

import json
from uuid import UUID

import pytest

from domain.events import NoteWritten
from service.runtime.settings import BadSettings, load_settings
from tests.adapters.notes.endpoint import (
    CITED,
    CITED_AND_INVENTED,
    INVENTED,
    SAID,
    SECTIONS,
    chat_endpoint,
    completion,
)
from tests.end_to_end.dorsum_client import Dorsum, keys_in, sections_of
from tests.service.running_service import TurnedClock, running_service

SHOWN = {name.title(): said or ["(nothing in the transcript)"] for name, said in SECTIONS.items()}
"""The sections as text."""


@pytest.fixture
async def endpoint():
    async with chat_endpoint() as endpoint:
        yield endpoint


SPEECH = [1, -1] * 8_000


async def note_of(tmp_path, endpoint, output_format="text", **settings):
    """The final answer of a session that says `SAID`, and its NoteWritten."""
    chosen = endpoint.settings(dorsum_seconds=170, **settings)
    async with running_service(tmp_path / "data", TurnedClock(), **chosen) as running:
        dorsum = Dorsum(running.settings.base_url, keys_in(tmp_path / "data"))
        final = await dorsum.send(SPEECH, final=True, output_format=output_format)
        assert (final.status, final.json["full_transcript"]) == (200, " ".join(SAID))
        assert (await dorsum.send(SPEECH, final=True, output_format=output_format)).body == final.body
        history = await running.stores.log.history(UUID(final.json["task_id"]))
        (written,) = [recorded.event for recorded in history if isinstance(recorded.event, NoteWritten)]
        return final.json, written


async def test_a_language_models_note_says_that_it_is_one_and_a_draft_and_what_it_rests_on(tmp_path, endpoint):
    final, written = await note_of(tmp_path, endpoint)
    assert (written.engine, written.fallback_reason, written.unsupported_share) == ("openai", None, 0)
    note = final["clinical_notes"]
    assert note.startswith(
        "DRAFT, to be reviewed by a clinician. It was written by a language model from the transcript. "
        "The time says where the words are that a sentence rests on.\n"
    )
    assert "- Blood test. [00:02-00:02]" in note
    assert sections_of(note) == SHOWN
    assert len(endpoint.requests) == 1  # the repetition was answered from what is stored


async def test_what_a_language_model_invents_is_not_in_the_text_and_the_text_and_the_event_say_how_much(
    tmp_path, endpoint
):
    endpoint.answers = [(200, completion(CITED_AND_INVENTED))]
    final, written = await note_of(tmp_path, endpoint)
    assert (written.engine, written.unsupported_share) == ("openai", 0.25)
    assert sections_of(final["clinical_notes"]) == SHOWN
    assert "1 sentence is left out: the transcript does not have the words that it cites." in final["clinical_notes"]
    assert INVENTED not in final["clinical_notes"]


async def test_a_note_as_json_has_what_was_left_out_beside_the_sections_and_why(tmp_path, endpoint):
    endpoint.answers = [(200, completion(CITED_AND_INVENTED))]
    final, _ = await note_of(tmp_path, endpoint, output_format="json")
    note = json.loads(final["clinical_notes"])
    assert [sentence["text"] for sentence in note["sections"]["assessment"]] == []
    assert note["unsupported"] == [{"section": "assessment", "text": INVENTED, "reason": "quote_not_found"}]
    (test,) = note["sections"]["plan"]
    assert (test["text"], test["source"]["start"]) == ("Blood test.", 2.0)


@pytest.mark.slow
async def test_a_second_try_helps_where_the_first_did_not(tmp_path, endpoint):
    endpoint.answers = [(503, {}), (200, completion("nonsense")), (200, completion(CITED))]
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
@pytest.mark.slow
async def test_a_writer_that_fails_leaves_a_note_of_quotations_and_the_event_says_so(
    tmp_path, endpoint, answer, tries, reason
):
    endpoint.answers = [answer]
    final, written = await note_of(tmp_path, endpoint)
    assert (written.engine, written.fallback_reason, len(endpoint.requests)) == ("extractive", reason, tries)
    assert written.unsupported_share == 0
    assert "quoted from the transcript" in final["clinical_notes"]


def test_a_language_model_needs_an_address_and_a_name(monkeypatch):
    with pytest.raises(BadSettings, match="TAPEDECK_NOTE_WRITER=openai needs TAPEDECK_NOTE_WRITER_URL"):
        load_settings(note_writer="openai", note_writer_model="m")

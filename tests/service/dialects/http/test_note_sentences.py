"""A note that was read can be sent back as an edit, as it is."""

from adapters.notes.extractive import extract
from adapters.notes.note import Section
from service.dialects.http.notes import EditNoteRequest
from tests.adapters.notes.test_extractive import spoken


def test_a_quoted_note_is_accepted_with_its_sources_headings_and_problems():
    note = extract(spoken("chest_pain"))
    read = note.model_dump(mode="json")["sections"]
    edit = EditNoteRequest.model_validate({"author": "practitioner-17", "sections": read})
    for section in Section:
        sent = getattr(edit.sections, section)
        assert [sentence.model_dump() for sentence in sent] == [one.model_dump() for one in note.sections[section]]
    assert any(sentence.heading for sentence in edit.sections.subjective)

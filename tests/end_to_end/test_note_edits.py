"""A clinician corrects the note: what is read afterwards, by which API, and what is refused."""

import asyncio
import json
from uuid import UUID

import numpy as np
import pytest

from tests.end_to_end.dorsum_client import Dorsum, event_types, sections_of
from tests.end_to_end.profile import blob_store_of, tables_of
from tests.end_to_end.service_process import ServiceProcess

WORDS = {"subjective": [{"text": "Headache for three days."}], "plan": [{"text": "Rest."}, {"text": "Fluids."}]}
AS_TEXT = {"Subjective": ["Headache for three days."], "Plan": ["Rest.", "Fluids."]}
NOTHING = "(nothing in the transcript)"
"""What a note of text says in a section without sentences."""


def edit(author: str = "dr-1", **sections: list[dict[str, object]]) -> dict[str, object]:
    return {"author": author, "sections": sections or WORDS}


def said(answer) -> dict[str, list[str]]:
    """The sections that have sentences."""
    sections = answer.json["sections"].items()
    return {name: [sentence["text"] for sentence in its] for name, its in sections if its}


@pytest.fixture
async def written(service: ServiceProcess) -> Dorsum:
    """A session of three samples, in which nobody speaks. Its note is written, and empty."""
    dorsum = Dorsum.of(service)
    final = await dorsum.send([1, 2, 3], final=True)
    assert final.status == 200
    dorsum.task_id = final.json["task_id"]
    return dorsum


def bota_path(dorsum: Dorsum) -> str:
    return f"/v1/recordings/rec_{UUID(dorsum.task_id).hex}/note"


async def test_an_edit_is_what_every_api_shows_from_then_on(written, service, api):
    draft = await written.note()
    assert (draft.status, draft.json["version"], draft.json["edited"], draft.json["draft"]) == (200, 0, False, True)
    stored = await written.note("PUT", body=edit())
    assert (stored.status, said(stored)) == (200, {name: [it["text"] for it in its] for name, its in WORDS.items()})
    facts = {name: stored.json[name] for name in ("version", "edited", "author", "draft")}
    assert facts == {"version": 1, "edited": True, "author": "dr-1", "draft": False}
    read = await written.note()
    assert (read.body, read.headers["ETag"]) == (stored.body, stored.headers["ETag"])
    by_bota = await api.call("GET", bota_path(written))
    assert (by_bota.status, by_bota.json["sections"], by_bota.json["author"]) == (200, read.json["sections"], "dr-1")
    assert by_bota.headers["ETag"] == read.headers["ETag"]
    again = await written.send([1, 2, 3], final=True)
    spoken_of = sections_of(again.json["clinical_notes"])
    assert {title: its for title, its in spoken_of.items() if its != [NOTHING]} == AS_TEXT
    assert again.json["clinical_notes"].startswith(f"Edited by dr-1 at {read.json['at']}.")
    as_json = await written.send([1, 2, 3], final=True, output_format="json")
    shown = json.loads(as_json.json["clinical_notes"])
    texts = {name: [its["text"] for its in sentences] for name, sentences in shown["sections"].items() if sentences}
    assert (texts, shown["edited"], shown["author"]) == (said(read), True, "dr-1")
    assert (await event_types(service, written.task_id))[-2:] == ["NoteWritten", "NoteEdited"]


async def test_one_stored_over_the_other_api_is_the_same_note(written, api):
    stored = await api.call("PUT", bota_path(written), body=edit("dr-2"))
    assert (stored.status, stored.json["version"]) == (200, 1)
    assert said(await written.note()) == said(stored)


async def test_a_repeated_put_gets_the_same_answer_and_is_one_edit(written, service):
    tag = (await written.note()).headers["ETag"]
    answers = [await written.note("PUT", body=edit(), If_Match=tag) for _ in range(3)]
    assert {answer.body for answer in answers} == {answers[0].body}
    assert answers[0].status == 200
    assert (await event_types(service, written.task_id)).count("NoteEdited") == 1


async def test_of_two_who_edit_the_same_version_one_is_told_to_read_again(written):
    tag = (await written.note()).headers["ETag"]
    both = [edit(name, plan=[{"text": f"As {name} says."}]) for name in ("dr-1", "dr-2")]
    answers = await asyncio.gather(*(written.note("PUT", body=one, If_Match=tag) for one in both))
    assert sorted(answer.status for answer in answers) == [200, 412]
    (accepted,) = (answer for answer in answers if answer.status == 200)
    (refused,) = (answer for answer in answers if answer.status == 412)
    assert refused.json == {
        "message": "The note was changed since you read it; read it again, and edit that.",
        "code": 412,
    }
    read = await written.note()
    assert (read.body, read.json["version"]) == (accepted.body, 1)
    later = await written.note("PUT", body=both[0], If_Match=read.headers["ETag"])
    assert later.status == 200
    assert (await written.note("PUT", body=both[1], If_Match=f'"other", {later.headers["ETag"]}')).status == 200
    assert (await written.note("PUT", body=both[0], If_Match="*")).status == 200
    assert (await written.note("PUT", body=edit(), If_Match=f"W/{later.headers['ETag']}")).status == 412
    assert (await written.note("PUT", body=edit(), If_Match="unquoted")).status == 400


async def test_every_version_can_be_read_with_its_author_and_time(written, api):
    plans = ["Rest.", "Rest more.", "Rest most."]
    for number, plan in enumerate(plans):
        await written.note("PUT", body=edit(f"dr-{number}", plan=[{"text": plan}]))
    versions = (await written.note(below="/versions")).json["versions"]
    assert [(one["version"], one["edited"], one["author"]) for one in versions] == [
        (0, False, None),
        (1, True, "dr-0"),
        (2, True, "dr-1"),
        (3, True, "dr-2"),
    ]
    assert [one["at"] for one in versions] == sorted(one["at"] for one in versions)
    for one in versions:
        read = await written.note(below=f"/versions/{one['version']}")
        assert (read.json["author"], read.headers["ETag"]) == (one["author"], one["etag"])
        assert said(read) == ({"plan": [plans[one["version"] - 1]]} if one["version"] else {})
        by_bota = await api.call("GET", f"{bota_path(written)}/versions/{one['version']}")
        assert by_bota.json["sections"] == read.json["sections"]
    assert (await api.call("GET", f"{bota_path(written)}/versions")).json["data"] == versions
    assert (await written.note(below="/versions/4")).status == 404
    assert (await written.note(below="/versions/x")).status == 400
    assert (await api.call("GET", f"{bota_path(written)}/versions/x")).status == 404


async def test_a_client_that_has_this_version_is_told_so(written):
    read = await written.note("PUT", body=edit())
    known = await written.note(If_None_Match=read.headers["ETag"])
    assert (known.status, known.body, known.headers["ETag"]) == (304, b"", read.headers["ETag"])
    tag = read.headers["ETag"]
    for names_it in ("*", f"W/{tag}", f'"other", {tag}'):
        assert (await written.note(If_None_Match=names_it)).status == 304
    for names_another in ('"other"', f'"x{tag[1:]}', f'"{tag[1:-1]},x"'):
        assert (await written.note(If_None_Match=names_another)).status == 200


async def test_an_edit_is_refused_where_a_version_is_that_the_client_says_must_not_be_there(written):
    tag = (await written.note()).headers["ETag"]
    for names_it in ("*", tag, f"W/{tag}", f'"other", {tag}'):
        assert (await written.note("PUT", body=edit(), If_None_Match=names_it)).status == 412
    assert (await written.note("PUT", body=edit(), If_None_Match="unquoted")).status == 400
    assert (await written.note("PUT", body=edit(), If_None_Match='"other"')).status == 200
    assert (await written.note("PUT", body=edit(), If_None_Match="*")).status == 412


REFUSED = [
    (b"", "The body is not JSON"),
    (b"{", "The body is not JSON"),
    (b"[]", "The body: "),
    (b"\xff\xfe", "The body is not JSON"),
    (b"[" * 300, "JSON may be nested at most 200 deep"),
    ({"sections": WORDS}, "author: This field is required."),
    ({"author": "dr-1"}, "sections: This field is required."),
    (edit("Dr. Jane Doe"), "author: String should match pattern"),
    (edit("a" * 129), "author: String should match pattern"),
    ({"author": 7, "sections": WORDS}, "author: Input should be a valid string, not 7."),
    (edit(plans=[{"text": "Rest."}]), "sections.plans: Extra inputs are not permitted"),
    (edit(plan=[{"text": "Rest.", "words": 1}]), "sections.plan.0.words: Extra inputs are not permitted"),
    (edit(plan=[{"text": " \t"}]), "sections.plan.0.text: String should match pattern"),
    (edit(plan=[{"text": 7}]), "sections.plan.0.text: Input should be a valid string, not 7."),
    (edit(plan=[{}]), "sections.plan.0.text: This field is required."),
    (edit(plan="Rest."), "sections.plan: Input should be a valid list"),
    (edit(plan=[]), "sections: Input should have a sentence in at least one section"),
    (edit(plan=[{"text": "a" * 10_001}]), "sections.plan.0.text: String should have at most 10000 characters"),
    (edit(plan=[{"text": "a"}] * 1_001), "sections.plan: List should have at most 1000 items"),
    (b'{"author": "dr-1", "sections": {"plan": [' + b"1," * 20_001 + b"1]}}", "JSON may have at most 20000 values"),
]


@pytest.mark.parametrize(("body", "sentence"), REFUSED)
async def test_what_is_no_note_is_refused_with_a_sentence_that_names_the_field(written, body, sentence):
    refused = await written.note("PUT", body=body)
    assert refused.status == 400
    assert refused.json["message"].startswith(sentence)
    assert (await written.note()).json["version"] == 0


async def test_one_that_is_too_large_is_refused_by_its_size(written):
    body = edit(plan=[{"text": "a" * 10_000}] * 200)
    assert (await written.note("PUT", body=body)).status == 413


async def test_bota_names_the_field_in_its_own_words(written, api):
    refused = await api.call("PUT", bota_path(written), body={"sections": WORDS})
    assert (refused.status, refused.error["param"], refused.error["type"]) == (400, "author", "invalid_request")


async def test_what_was_read_can_be_sent_back_with_an_author(written):
    await written.note("PUT", body=edit())
    read = (await written.note()).json
    stored = await written.note("PUT", body=read | {"author": "dr-9"})
    assert (stored.status, stored.json["version"], stored.json["sections"]) == (200, 2, read["sections"])


async def test_a_sentence_keeps_its_place_in_the_transcript_only_as_the_writer_quoted_it(written):
    claimed = {"from_word": 0, "to_word": 2, "start": 0.0, "end": 1.0}
    stored = await written.note("PUT", body=edit(plan=[{"text": "Nobody said this.", "source": claimed}]))
    untold = {"source": None, "further_sources": [], "heading": None, "problem": None}
    assert stored.json["sections"]["plan"] == [{"text": "Nobody said this.", **untold}]


async def test_a_corrected_sentence_has_the_heading_and_the_problem_that_it_is_given(written):
    rest = {"text": "Rest.", "heading": "plan", "problem": "migraine"}
    stored = await written.note("PUT", body=edit(plan=[rest], subjective=[{"text": "None.", "heading": "allergies"}]))
    (plan,), (said_before,) = stored.json["sections"]["plan"], stored.json["sections"]["subjective"]
    assert ({name: plan[name] for name in rest}, said_before["heading"]) == (rest, "allergies")
    again = await written.send([1, 2, 3], final=True)
    assert "Allergies\n- None." in again.json["clinical_notes"]
    assert "migraine\n- Rest." in again.json["clinical_notes"]
    refused = await written.note("PUT", body=edit(plan=[rest | {"heading": "weather"}]))
    assert refused.status in (400, 422)
    assert "heading" in refused.json["message"]


async def test_a_session_without_a_note_has_none_to_read_or_edit(service, api):
    dorsum = Dorsum.of(service)
    assert (await dorsum.note()).status == (await dorsum.note("PUT", body=edit())).status == 404
    assert (await dorsum.send(np.zeros(480_000, np.int16))).status == 200
    for answer in (await dorsum.note(), await dorsum.note("PUT", body=edit()), await dorsum.note(below="/versions")):
        assert (answer.status, "no note yet" in answer.json["message"]) == (409, True)
    recording = await api.create()
    refused = await api.call("PUT", f"/v1/recordings/{recording['id']}/note", body=edit())
    assert (refused.status, refused.error["type"]) == (409, "no_note")


async def test_another_projects_keys_find_neither_note_nor_versions(written, service, new_key):
    other = service.api(new_key("secret", project_id="proj_another"))
    for method, below in [("GET", ""), ("PUT", ""), ("GET", "/versions"), ("GET", "/versions/0")]:
        body = edit() if method == "PUT" else None
        assert (await other.call(method, bota_path(written) + below, body=body)).status == 404
        written.keys = {"Api-Key": "sk_live_" + "a" * 45, "Client-Key": written.keys["Client-Key"]}
        assert (await written.note(method, below, body=body)).status == 401


async def test_a_deleted_session_has_no_note_and_none_of_its_words_are_left(written, service, api):
    await written.note("PUT", body=edit())
    await written.note("PUT", body=edit("dr-2", plan=[{"text": "Zanthoxylum."}]))
    its_id = UUID(written.task_id).hex
    assert (await api.call("DELETE", f"/v1/recordings/rec_{its_id}")).status == 204
    for answer in (await written.note(), await written.note("PUT", body=edit()), await written.note(below="/versions")):
        assert (answer.status, answer.json["message"]) == (404, "There is no such session.")
    assert (await api.call("PUT", bota_path(written), body=edit())).status == 404
    async with asyncio.timeout(60):
        while await stored_keys(service, its_id):
            await asyncio.sleep(0.05)


async def stored_keys(service: ServiceProcess, its_id: str) -> list[str]:
    """Of the recording's blobs, as they are now."""
    async with blob_store_of(service) as store:
        return list(store.keys(f"recordings/{its_id}/"))


@pytest.mark.slow
async def test_an_edit_that_was_answered_survives_a_kill_right_after_the_answer(own_service):
    await own_service.start()
    dorsum = Dorsum.of(own_service)
    assert (await dorsum.send([1, 2, 3], final=True)).status == 200
    stored = await dorsum.note("PUT", body=edit())
    own_service.kill()
    assert stored.status == 200
    await own_service.start()
    read = await dorsum.note()
    assert (read.body, read.headers["ETag"]) == (stored.body, stored.headers["ETag"])
    assert (await dorsum.note("PUT", body=edit())).body == stored.body
    assert len((await dorsum.note(below="/versions")).json["versions"]) == 2


async def test_no_words_of_an_edit_are_in_the_log_of_events(written, service):
    await written.note("PUT", body=edit(plan=[{"text": "Quetzalcoatlus."}]))
    assert b"Quetzalcoatlus" not in tables_of(service)

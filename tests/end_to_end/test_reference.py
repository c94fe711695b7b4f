"""The API reference: the committed document is the code's, its reader needs no network, and what it says is so."""

import asyncio
import copy
import json
import re
import time
from collections import Counter, defaultdict
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from service.generators.documents import FOLDER
from service.generators.openapi import document, rendered
from tests.end_to_end.dorsum_client import Dorsum, failed_at_stitching, keys_of, silence
from tests.end_to_end.dragon_client import Dragon, development_token, dragon_credentials
from tests.end_to_end.service_process import short_speech

FILE = FOLDER / "openapi.json"
CASES_PER_OPERATION = 80
CASES_OF_WHAT_IS_ALWAYS_REFUSED = 20
LEAST_CASES = 2_000
WITHOUT_AN_END = {
    "GET /v1/events": {"follow": "false"},
    "GET /v1/recordings/{recording_id}/live": {"follow": "false"},
}
"""Answers that go on for as long as there may be something to tell, and the query that has them end."""

RIGHT_IN_TEN = 3
ANSWER_SECONDS = 180
"""More than the service itself gives a consultation's last chunk, which waits for what was finalized before it."""


def test_the_committed_document_is_the_codes():
    assert FILE.read_bytes() == rendered(), "run `make schemas` and commit what it writes"


async def test_the_reader_and_the_document_are_served_and_refer_to_nothing_elsewhere(api):
    page = await api.call("GET", "/docs", key=False)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert not re.search(rb"https?://|src=|@import|url\(", page.body)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    served = await api.call("GET", "/openapi.json", key=False)
    assert served.body == FILE.read_bytes()


DOCUMENT = document()
OPERATIONS = [(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods]
CASES: Counter[str] = Counter()
STATUSES: dict[str, set[int]] = defaultdict(set)


@pytest.fixture(scope="module")
def there(service):
    """Ids of what exists, and requests that are right, so that not all that is asked is refused."""
    return asyncio.run(_made(service))


async def _made(service):
    api = service.api()
    done, failed, whole = await api.upload([short_speech()], codec="wav"), await api.upload([b"x"]), await api.create()
    for recording in (done, failed):
        await api.finalize(recording, 1)
        await api.ended(recording)
    pending = await api.create(streaming=False)
    asked = {"url": "http://127.0.0.1:9/", "events": ["recording.created"]}
    webhook = (await api.call("POST", "/v1/webhooks", body=asked)).json["id"]
    await api.create()
    deliveries = {"data": []}
    while not deliveries["data"]:
        deliveries = (await api.call("GET", f"/v1/webhooks/{webhook}/deliveries")).json
    recordings = [one["id"] for one in (done, failed, whole, pending)]
    ready, arrived = await api.upload([b"x"]), await api.create(streaming=False)
    file = {"content_type": "audio/wav", "file_size_bytes": 9}
    offered = await api.call("POST", f"/v1/recordings/{arrived['id']}/upload-url", body=file)
    await api.call("PUT", offered.json["upload_url"], body=short_speech(), key=False)
    consultation, broken = Dorsum.of(service), Dorsum.of(service)
    await failed_at_stitching(service, broken)
    final = await consultation.send(silence(), final=True)
    noted = f"rec_{UUID(final.json['task_id']).hex}"
    edit = {"author": "dr-1", "sections": {"plan": [{"text": "Rest."}]}}
    download = (await api.get(done, "/download-url"))["download_url"]
    end_user, *old_end_users = [(await api.call("POST", "/v1/end-users", body={})).json["id"] for _ in range(4)]
    device, never_unbound = [
        (await api.call("POST", "/v1/devices", body={"serial_number": f"SN {number}"})).json["id"] for number in (1, 2)
    ]
    bound = {"path_parameters": {"device_id": device}, "body": {"end_user_id": end_user}}
    for each in (device, never_unbound):
        assert (await api.call("POST", f"/v1/devices/{each}/bind", body=bound["body"])).status == 200
    to_summarize = {"transcription_id": done["id"].replace("rec_", "txn_"), "template_id": "tmpl_general_notes"}
    summary = (await api.call("POST", "/v1/summaries", body=to_summarize)).json["id"]
    key = {"kind": "restricted", "scopes": ["recordings:read"]}
    return {
        "signed": {"PUT": signed(whole["chunk_upload_url_template"].replace("{part}", "1")), "GET": signed(download)},
        "right": {
            "POST /api/consultations/transcribe": {
                "body": {"session_id": consultation.session_id, "chunk": silence().tolist(), "is_final": True},
                "headers": {},  # an Idempotency-Key that was drawn would make it another chunk
            },
            "POST /api/consultations/{session_id}/retry": {"path_parameters": {"session_id": broken.session_id}},
            "GET /api/consultations/{session_id}/chunks/{number}": {
                "path_parameters": {"session_id": consultation.session_id, "number": "1"}
            },
            **_right_of_notes("/api/consultations/{session_id}/note", {"session_id": consultation.session_id}, edit),
            **_right_of_notes("/v1/recordings/{recording_id}/note", {"recording_id": noted}, edit),
            "GET /v1/recordings/{recording_id}/live": {
                "path_parameters": {"recording_id": done["id"]},
                "headers": {},
                "query": {},
            },
            "GET /v1/events": {"headers": {}, "query": {"since": "beginning"}},
            "GET /v1/recordings/{recording_id}/chunks/{number}": {
                "path_parameters": {"recording_id": done["id"], "number": "1"}
            },
            "POST /v1/recordings/search": {
                "body": {"query": "good morning", "end_user_id": service.credentials["end_user_id"]}
            },
            "POST /v1/webhooks": {"body": asked},
            "POST /v1/devices/{device_id}/bind": bound,
            "POST /v1/devices/{device_id}/token/refresh": {"path_parameters": {"device_id": never_unbound}},
            "POST /v1/transcriptions": {"body": {"recording_id": done["id"]}},
            "POST /v1/summaries": {"body": to_summarize},
            "POST /v1/recordings/{recording_id}/upload-url": of(arrived, file),
            "POST /v1/recordings/{recording_id}/download-url": of(
                done, {"media_id": done["id"].replace("rec_", "med_")}
            ),
            "POST /v1/recordings/{recording_id}/upload-complete": of(arrived, {}),
            "POST /v1/recordings/{recording_id}/finalize": of(ready, {"total_chunks": 1, "final_duration_ms": 1}),
            **(await _right_of_dragon(service)),
        },
        "tokens": {
            "key": service.credentials["api_key"],
            "dragonToken": await development_token(dragon_credentials(service)),
        },
        "recording_id": recordings,
        "transcription_id": [its_id.replace("rec_", "txn_") for its_id in recordings],
        "summary_id": [summary],
        "webhook_id": [webhook],
        "session_id": [consultation.session_id],
        "ambient_session_id": [one["id"] for one in (await api.call("GET", "/v1/ambient-sessions")).json["data"]],
        "end_user_id": [end_user],
        "device_id": [device],
        "section": ["processing", "upload"],
        "delivery_id": [one["id"] for one in deliveries["data"]],
        "to be deleted": {
            "recording_id": [(await api.create())["id"] for _ in range(3)],
            "webhook_id": [(await api.call("POST", "/v1/webhooks", body=asked)).json["id"] for _ in range(3)],
            "end_user_id": old_end_users,
            "key_id": [(await api.call("POST", "/v1/keys", body=key)).json["id"] for _ in range(3)],
        },
    }


def _right_of_notes(path, ids, edit):
    return {
        f"GET {path}": {"path_parameters": ids},
        f"PUT {path}": {"path_parameters": ids, "body": edit, "headers": {"If-Match": "*"}},
        f"GET {path}/versions": {"path_parameters": ids},
        f"GET {path}/versions/{{number}}": {"path_parameters": {**ids, "number": "0"}},
    }


def of(recording, body):
    return {"path_parameters": {"recording_id": recording["id"]}, "body": body}


async def _right_of_dragon(service):
    dragon, over, broken = [await Dragon.connect(service) for _ in range(3)]
    for session in (dragon, over, broken):
        await session.announce()
    await broken.store(1, b"no audio")
    await broken.finalize(1)
    while (await broken.chunks()).json["status"] != "failed":
        await asyncio.sleep(0.05)
    of_broken = {"query": broken.of_recording()}
    of_session = {"query": {"api-version": "2", "customerId": dragon.named["customerId"]}}
    of_audio = {"query": {"api-version": "2025-07-15"}}
    return {
        "PUT /ambient-sessions": of_session | {"body": dragon.named},
        "DELETE /ambient-sessions/{correlation_id}": of_session
        | {"path_parameters": {"correlation_id": over.correlation_id}},
        "PUT /audio/storeChunk": of_audio | {"body": {"metadata": json.dumps(dragon.metadata()), "content": b"x"}},
        "GET /audio/chunks": of_broken,
        "GET /audio/chunks/all": of_broken,
        "GET /audio/chunks/{chunk_id}": of_broken | {"path_parameters": {"chunk_id": "1"}},
        "POST /audio/retryUpload": of_audio | {"body": broken.named | {"recordingId": 1}},
        "POST /audio/finalizeUpload": of_audio | {"body": dragon.metadata(None, totalChunks=1)},
    }


def signed(url):
    """What a signed URL says of where it leads, and its signature."""
    path, query = urlsplit(url).path, dict(parse_qsl(urlsplit(url).query))
    *_, project_id, recording_id, file = path.split("/")
    if project_id == "v1":
        recording_id, ending = file.split(".")
        return {"recording_id": recording_id, "ending": ending}, query
    return {"project_id": project_id, "recording_id": recording_id, "file": file}, query


@pytest.fixture(scope="module")
def schema():
    return schemathesis.openapi.from_dict(copy.deepcopy(DOCUMENT), config=SchemathesisConfig())


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(operation) for operation in OPERATIONS])
def test_every_operation_answers_as_documented_whatever_it_is_asked(service, there, schema, method, path):
    operation = f"{method} {path}"
    schemes = list(schema[path][method].definition.raw.get("security", [{"key": []}])[0])
    headers = keys_of(service) if len(schemes) > 1 else {"Authorization": f"Bearer {there['tokens'][schemes[0]]}"}
    checks = CHECKS.get_by_names(
        ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
    )
    ids = there["to be deleted"] if method == "DELETE" else there
    cases = schema[path][method].as_strategy()

    @settings(
        max_examples=CASES_PER_OPERATION if can_be_done(method, path) else CASES_OF_WHAT_IS_ALWAYS_REFUSED,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(case=cases, known=st.booleans(), place=st.integers(0, 9))
    def ask(case, known, place):
        for name in list(case.path_parameters or {}) if known else []:
            if name in ids:
                case.path_parameters[name] = ids[name][place % len(ids[name])]
        if known and case.query.keys() >= {"signature"}:
            case.path_parameters, case.query = map(dict, there["signed"][method])
        if (CASES[operation] == 0 or (known and place < RIGHT_IN_TEN)) and operation in there["right"]:
            for name, right in there["right"][operation].items():
                setattr(case, name, copy.deepcopy(right))
        if operation in WITHOUT_AN_END:
            case.query = dict(case.query) | WITHOUT_AN_END[operation]
        CASES[operation] += 1
        response = answer(case)
        while response.status_code == 503 and b" is behind; try again." in response.content:
            time.sleep(0.1)
            response = answer(case)
        case.validate_response(response, checks=checks)
        STATUSES[operation].add(response.status_code)

    def answer(case):
        return case.call(base_url=service.url, headers=headers, session=session, timeout=ANSWER_SECONDS)

    with requests.Session() as session:
        ask()


@pytest.mark.slow
def test_enough_cases_were_tried_that_this_means_something():
    print(f"\n{sum(CASES.values())} cases over {len(CASES)} operations")
    assert sum(CASES.values()) >= LEAST_CASES
    assert len(CASES) == len(OPERATIONS)
    unanswered = {name for name, statuses in STATUSES.items() if not any(200 <= status < 300 for status in statuses)}
    assert unanswered == {name for name in STATUSES if not can_be_done(*name.split(" "))}


def can_be_done(method, path):
    """Whether the operation is not one that is always refused, and told of only so that clients are told why."""
    return any(status.startswith("2") for status in DOCUMENT["paths"][path][method.lower()]["responses"])

"""The API reference: the committed document is the code's, its reader needs no network, and what it says is so."""

import asyncio
import re
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from service.openapi import FILE, document, rendered
from tests.end_to_end.service_process import short_speech

CASES_PER_OPERATION = 150
LEAST_CASES = 2_000


def test_the_committed_document_is_the_codes():
    assert FILE.read_bytes() == rendered(), "run `make schemas` and commit what it writes"


async def test_the_reader_and_the_document_are_served_and_refer_to_nothing_elsewhere(api):
    page = await api.call("GET", "/docs", key=False)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert not re.search(rb"https?://|src=|@import|url\(", page.body)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    served = await api.call("GET", "/openapi.json", key=False)
    assert served.body == FILE.read_bytes()


OPERATIONS = [(method.upper(), path) for path, methods in document()["paths"].items() for method in methods]
CASES: Counter[str] = Counter()


@pytest.fixture(scope="module")
def there(service):
    """Ids of what exists, so that not everything that is asked for is unknown; and a key of its project."""
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
    return {
        "recording_id": recordings,
        "transcription_id": [its_id.replace("rec_", "txn_") for its_id in recordings],
        "webhook_id": [webhook],
        "delivery_id": [one["id"] for one in deliveries["data"]],
    }


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(operation) for operation in OPERATIONS])
def test_every_operation_answers_as_documented_whatever_it_is_asked(service, there, method, path):
    schema = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig())
    token = service.credentials["api_key"]
    checks = CHECKS.get_by_names(
        ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
    )
    cases = schema[path][method].as_strategy()

    @settings(
        max_examples=CASES_PER_OPERATION,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(case=cases, known=st.booleans(), place=st.integers(0, 9))
    def ask(case, known, place):
        for name in list(case.path_parameters or {}) if known else []:
            if name in there:
                case.path_parameters[name] = there[name][place % len(there[name])]
        CASES[f"{method} {path}"] += 1
        response = case.call(base_url=service.url, headers={"Authorization": f"Bearer {token}"})
        case.validate_response(response, checks=checks)

    ask()


def test_enough_cases_were_tried_that_this_means_something():
    print(f"\n{sum(CASES.values())} cases over {len(CASES)} operations")
    assert sum(CASES.values()) >= LEAST_CASES
    assert len(CASES) == len(OPERATIONS)

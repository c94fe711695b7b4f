"""What Bota's clients rely on in every answer, whatever they ask."""

import pytest

from service.dialects.bota.requests import InvalidRequest, RequestUploadUrl, parse
from tests.service.running_service import TurnedClock, running_service

TRACE = "0b9ff0a4-3f1c-4d9e-8a53-0d7f7f6c2d11"


@pytest.fixture
async def api(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running.api


async def test_a_refusal_names_its_field_and_the_request_by_which_the_log_finds_it(api):
    answer = await api.call("GET", "/v1/recordings?limit=0", headers={"x-correlation-id": TRACE})
    assert answer.json == {
        "error": {
            "type": "invalid_request",
            "code": "invalid_request",
            "message": "limit: Input should be greater than or equal to 1, not '0'.",
            "details": {"field": "limit", "reason": "Input should be greater than or equal to 1, not '0'."},
            "param": "limit",
            "request_id": "req_0b9ff0a43f1c4d9e8a530d7f7f6c2d11",
        }
    }
    assert answer.headers["x-correlation-id"] == TRACE


async def test_what_is_wrong_with_no_field_names_none_and_a_request_without_an_id_gets_one(api):
    answer = await api.call("POST", "/v1/webhooks", body=b"[]")
    assert answer.error["details"] == {"field": None, "reason": "The body must be a JSON object."}
    assert "param" not in answer.error
    assert answer.error["request_id"] == f"req_{answer.headers['x-correlation-id'].replace('-', '')}"
    unknown = await api.call("GET", "/v1/nothing")
    assert (unknown.error["type"], unknown.error["code"]) == ("not_found", "not_found")
    assert unknown.error["request_id"].startswith("req_")


async def test_any_version_of_the_api_may_be_named(api):
    answer = await api.call("GET", "/v1/recordings", headers={"Bota-Version": "2026-01-15"})
    assert answer.status == 200


async def test_health_has_exactly_the_keys_that_clients_accept(api):
    answer = await api.call("GET", "/health", key=False)
    assert (answer.status, answer.json) == (200, {"status": "healthy", "database": "connected", "billing": "disabled"})


DEEP = b'{"name":' + b"[" * 1000 + b"]" * 1000 + b"}"
TOO_DEEP = "JSON may be nested at most 200 deep; this is nested deeper."
NO_KEY = (
    "The service has no key to decrypt a recording with: have the device decrypt it, or turn its encryption off, and "
    "create the recording without encryption_version."
)
TWO_IDS = b'{"query":"pain","end_user_id":"eu_1","recording_ids":["rec_1","rec_1"]}'


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("end-users", b'{"name":5}', "name: Input should be a valid string, not 5."),
        ("end-users", b'{"metadata":"x"}', "metadata: Input should be an object, not 'x'."),
        ("end-users", b'{"name":{"first":"Jane"}}', "name: Input should be a valid string, not an object."),
        ("end-users", b'{"name":[5]}', "name: Input should be a valid string, not a list."),
        ("end-users", DEEP, f"name: {TOO_DEEP}"),
        ("devices", DEEP.replace(b"name", b"serial_number"), f"serial_number: {TOO_DEEP}"),
        ("recordings", DEEP, f"name: {TOO_DEEP}"),
        ("recordings", b'{"streaming":[true]}', "streaming: Input should be a valid boolean, not a list."),
        ("recordings/search", b'{"query":null}', "query: Input should be a valid string, not null."),
        ("recordings/search", b'{"query":true}', "query: Input should be a valid string, not true."),
        ("recordings/search", TWO_IDS, "recording_ids: Every id should be there only once."),
        ("webhooks", b'{"url":"https://a.example","events":[]}', "events: List should have at least 1 item."),
        (
            "recordings",
            b'{"streaming":true,"codec":"pcm_16k"}',
            "codec: Bare samples do not say what they are: stream them as wav.",
        ),
        (
            "recordings",
            b'{"encryption_version":2}',
            f"encryption_version: {NO_KEY}",
        ),
        (
            "recordings",
            b'{"recorded_at":"yesterday"}',
            "recorded_at: Input should be an ISO 8601 time with its zone, not 'yesterday'.",
        ),
        ("summaries", b'{"transcription_id":"txn_1"}', "Give exactly one of template_id and prompt."),
    ],
)
async def test_a_refusal_says_what_is_wrong_in_the_words_of_json(api, path, body, message):
    answer = await api.call("POST", f"/v1/{path}", body=body)
    assert (answer.status, answer.error["message"]) == (400, message)


def test_a_reason_that_follows_what_is_wanted_is_not_torn_apart():
    with pytest.raises(InvalidRequest) as refused:
        parse(RequestUploadUrl, b'{"content_type":"image/png"}')
    assert refused.value.reason == (
        "Input should be the type of a sound file, not 'image/png': this service stores no pictures."
    )

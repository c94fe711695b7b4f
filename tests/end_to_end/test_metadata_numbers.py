"""Numbers in what clients say of their recordings come back as they were sent, or are refused; none is changed."""

import asyncio
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings

from tests.service.application.json_texts import JSON_TEXTS


def told(text):
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def body_of(service, metadata: str, streaming: bool = True) -> bytes:
    user, flag = json.dumps(service.credentials["end_user_id"]), json.dumps(streaming)
    return f'{{"streaming": {flag}, "end_user_id": {user}, "metadata": {metadata}}}'.encode()


@pytest.mark.parametrize(
    "number",
    [
        str(2**53 + 1),
        str(2**63),
        str(2**64 - 1),
        str(2**64),
        str(-(2**63) - 1),
        "123456789012345678901234567890",
        "9" * 300,
        "0.1000000000000000055511151231257827",
        "0.10000000000000001",
        "12345678.90123456789012345",
        "1e-400",
        "1e300",
        "-0.0",
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
async def test_a_number_comes_back_to_the_digit(api, service, number, streaming):
    metadata = f'{{"id": {number}, "deeper": [{{"id": {number}}}], "text": "{number}"}}'
    created = await api.call("POST", "/v1/recordings", body=body_of(service, metadata, streaming))
    assert created.status == 201
    if not streaming:
        assert told(created.body)["metadata"] == told(metadata)
    for path in (f"/v1/recordings/{created.json['id']}", "/v1/recordings?limit=1"):
        answer = told((await api.call("GET", path)).body)
        assert answer.get("data", [answer])[0]["metadata"] == told(metadata)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400, "NaN", "Infinity"])
async def test_a_number_beyond_all_that_clients_can_read_is_refused(api, service, number):
    answer = await api.call("POST", "/v1/recordings", body=body_of(service, f'{{"id": {number}}}'))
    assert (answer.status, answer.error["type"]) == (400, "invalid_request")


async def test_creating_again_with_the_same_key_and_a_number_in_its_last_digit_another_is_refused(api, service):
    key = {"Idempotency-Key": "of-long-numbers"}
    first, other = (f'{{"id": 100000000000000000000000000{last}}}' for last in (1, 2))
    created = await api.call("POST", "/v1/recordings", body=body_of(service, first), headers=key)
    again = await api.call("POST", "/v1/recordings", body=body_of(service, first), headers=key)
    assert (created.status, again.json["id"]) == (201, created.json["id"])
    refused = await api.call("POST", "/v1/recordings", body=body_of(service, other), headers=key)
    assert (refused.status, refused.error["type"]) == (409, "idempotency_conflict")


async def test_what_is_nested_too_deeply_beside_a_long_number_is_refused(api, service):
    body = body_of(service, '{"id": 123456789012345678901234567890}')[:-1] + b', "x": ' + b"[" * 990 + b"]" * 990 + b"}"
    answer = await api.call("POST", "/v1/recordings", body=body)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request")
    assert "nested" in answer.error["message"]


@given(JSON_TEXTS)
@settings(max_examples=60)
def test_any_metadata_comes_back_as_it_was_sent_or_is_refused(service, metadata):
    async def roundtrip() -> None:
        api, sent = service.api(), f'{{"any": {metadata}}}'
        created = await api.call("POST", "/v1/recordings", body=body_of(service, sent))
        if created.status == 400:
            assert created.error["type"] == "invalid_request"
            return
        assert created.status == 201
        answer = await api.call("GET", f"/v1/recordings/{created.json['id']}")
        assert told(answer.body)["metadata"] == told(sent)

    asyncio.run(roundtrip())

"""Every error of Dorsum's page, with its exact body, and none of them stores anything."""

import orjson
import pytest

from tests.end_to_end.dorsum_client import CHUNK, PATH, Dorsum, keys_of, silence

BAD_KEYS = {"message": "Invalid or missing API key or client key.", "code": 401}
NUMBERS = silence().tolist()


@pytest.fixture
def dorsum(service) -> Dorsum:
    return Dorsum.of(service)


async def refused(dorsum: Dorsum, body, status: int, message: str):
    answer = await dorsum.post(body)
    assert (answer.status, answer.json) == (status, {"message": message, "code": status})
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert (await dorsum.state()).status == 404
    return answer


def asked(dorsum: Dorsum, **fields):
    return {"session_id": dorsum.session_id, "chunk": NUMBERS, "is_final": False} | fields


@pytest.mark.parametrize("header", ["Api-Key", "Client-Key"])
@pytest.mark.parametrize("value", [None, "", "sk_test_wrong", "ck_" + "a" * 45, "é"])
async def test_a_missing_or_wrong_key_of_either_kind(service, header, value):
    keys = keys_of(service)
    keys = {name: key for name, key in keys.items() if name != header} | ({} if value is None else {header: value})
    dorsum = Dorsum(service.url, keys)
    for answer in (await dorsum.post(asked(dorsum, chunk=[], is_final=True)), await dorsum.state()):
        assert (answer.status, answer.json) == (401, BAD_KEYS)


async def test_keys_of_two_projects_in_each_others_place_or_without_the_scope(service, new_key):
    mine, own = keys_of(service), service.credentials["project_id"]
    for keys in (
        {"Api-Key": mine["Client-Key"], "Client-Key": mine["Api-Key"]},
        {"Api-Key": mine["Api-Key"], "Client-Key": mine["Api-Key"]},
        {"Api-Key": mine["Api-Key"], "Client-Key": new_key("client", project_id="proj_other")},
        {"Api-Key": new_key("secret", project_id="proj_other"), "Client-Key": mine["Client-Key"]},
        {
            "Api-Key": new_key("restricted", project_id=own, scopes=frozenset({"recordings:write"})),
            "Client-Key": mine["Client-Key"],
        },
        {
            "Api-Key": new_key("device", project_id=own, device_id="dev_1", end_user_id="eu_1"),
            "Client-Key": mine["Client-Key"],
        },
    ):
        answer = await Dorsum(service.url, keys).state()
        assert (answer.status, answer.json) == (401, BAD_KEYS)
    whole = {"Api-Key": new_key("secret", project_id=own), "Client-Key": mine["Client-Key"]}
    assert (await Dorsum(service.url, whole).state()).status == 404


async def test_another_projects_session_is_as_if_there_were_none(service, new_key, dorsum):
    assert (await dorsum.send([1, 2, 3], final=True)).status == 200
    other = {
        "Api-Key": new_key("secret", project_id="proj_else"),
        "Client-Key": new_key("client", project_id="proj_else"),
    }
    answer = await Dorsum(service.url, other).state(dorsum.session_id)
    assert (answer.status, answer.json) == (404, {"message": "There is no such session.", "code": 404})


async def test_a_client_key_opens_nothing_else(service, api):
    answer = await service.api(keys_of(service)["Client-Key"]).call("GET", "/v1/recordings")
    assert (answer.status, answer.error["type"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not JSON: "),
        (b"{", "The body is not JSON: "),
        (b'{"chunk": [1,]}', "The body is not JSON: "),
        (b"samples", "The body is not JSON: "),
        (b"\xff\xfe", "The body is not JSON: "),
        (b"[1, 2]", "The body must be a JSON object."),
        (b"{}", "chunk: This must be an array of numbers."),
        (b'{"chunk": "1, 2"}', "chunk: This must be an array of numbers."),
        (b'{"chunk": []}', "session_id: This field is required."),
    ],
)
async def test_what_is_no_json_or_no_request(dorsum, body, message):
    answer = await dorsum.post(body)
    assert answer.status == 400
    assert answer.json.keys() == {"message", "code"}
    assert answer.json["code"] == 400
    assert answer.json["message"].startswith(message)


V1 = "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d"
V4 = "f7696d65-7f91-444f-ba83-5f128e2ad9dc"


@pytest.mark.parametrize("session_id", [V1, "x", "", 5, None, V4.replace("-", ""), V4 + "\n"])
async def test_a_session_id_that_is_no_uuid_of_version_4(dorsum, session_id):
    body = asked(dorsum, session_id=session_id)
    shown = "null" if session_id is None else repr(session_id)  # as JSON has it, not Python
    await refused(dorsum, body, 400, f"session_id: This must be a UUID of version 4, not {shown}.")


async def test_a_session_id_in_the_address_that_is_no_uuid_of_version_4(dorsum):
    answer = await dorsum.state(V1)
    message = f"session_id: This must be a UUID of version 4, not '{V1}'."
    assert (answer.status, answer.json) == (400, {"message": message, "code": 400})


async def test_the_spelling_of_a_session_id_does_not_matter(dorsum):
    assert (await dorsum.send([1], final=True)).status == 200
    assert (await dorsum.state(dorsum.session_id.upper())).status == 200


@pytest.mark.parametrize(("count", "final"), [(479_999, False), (480_001, False), (480_001, True), (0, False)])
async def test_chunks_of_a_wrong_length(dorsum, count, final):
    chunk = [*NUMBERS, 1][:count]
    wanted = "The final chunk must have at most" if final else "A chunk must have exactly"
    message = f"{wanted} 480000 samples (30 seconds at 16 kHz), not {count}."
    await refused(dorsum, asked(dorsum, chunk=chunk, is_final=final), 400, message)


@pytest.mark.parametrize(
    ("sample", "problem"),
    [
        ('"7"', "a string, not a number"),
        ("null", "null, not a number"),
        ("true", "a boolean, not a number"),
        ("[1]", "an array, not a number"),
        ("{}", "an object, not a number"),
        ("NaN", "nan, not a finite number"),
        ("-Infinity", "-inf, not a finite number"),
        ("40000", "40000, not a 16-bit integer"),
        ("-32769", "-32769, not a 16-bit integer"),
        ("1.5", "1.5, neither a 16-bit integer nor a float from -1 to 1"),
        ("0.5", "0.5, not a 16-bit integer, though chunk[0], 2, is not a float from -1 to 1"),
        ("100000000000000000000000", "1e+23, not a 16-bit integer"),
    ],
)
@pytest.mark.parametrize("index", [1, 300_000, CHUNK - 1])
async def test_the_first_bad_sample_is_named(dorsum, sample, problem, index):
    text = orjson.dumps(asked(dorsum, chunk=[*NUMBERS[:index], 31_313, *NUMBERS[index + 1 :]]))
    body = text.replace(b"31313", sample.encode())
    answer = await refused(dorsum, body, 400, f"chunk[{index}] is {problem}.")
    assert answer.status == 400


async def test_an_unknown_output_format(dorsum):
    message = "output_format: This must be text or json, not 'xml'."
    await refused(dorsum, asked(dorsum, output_format="xml"), 400, message)


async def test_a_language_that_the_engine_does_not_have_and_which_it_has(dorsum):
    message = "The faster-whisper engine does not understand 'fr', only en."
    await refused(dorsum, asked(dorsum, language="fr"), 400, message)
    message = "language: This must be a language tag of BCP 47, such as en, es-419 or zh-Hant, not 'English please'."
    await refused(dorsum, asked(dorsum, language="English please"), 400, message)


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [("is_final", "no", "true or false"), ("is_final", 1, "true or false"), ("previous_transcript", 5, "a string")],
)
async def test_fields_of_another_kind(dorsum, field, value, wanted):
    await refused(dorsum, asked(dorsum, **{field: value}), 400, f"{field}: This must be {wanted}, not {value!r}.")


async def test_a_body_past_the_limit(dorsum):
    limit = 16 * 1024 * 1024
    body = orjson.dumps(asked(dorsum)) + b" " * limit
    await refused(dorsum, body, 413, f"The body is larger than the {limit} bytes allowed here.")


async def test_an_idempotency_key_of_no_or_too_many_characters(dorsum):
    answer = await dorsum.send([1], final=True, key="k" * 256)
    message = "Idempotency-Key: This must have 1 to 255 characters."
    assert (answer.status, answer.json) == (400, {"message": message, "code": 400})


async def test_other_methods_and_other_addresses(service, api):
    keys = keys_of(service)
    wrong = await api.call("PUT", PATH, headers=keys, key=False)
    assert (wrong.status, wrong.json["code"]) == (405, 405)
    nothing = await api.call("GET", "/api/consultations/a/b", headers=keys, key=False)
    assert (nothing.status, nothing.json) == (
        404,
        {"message": "There is nothing at /api/consultations/a/b.", "code": 404},
    )

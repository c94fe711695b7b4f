"""Bodies that are held in memory share one budget, and no body keeps the service from everything else."""

import asyncio
import json
from uuid import uuid4

import pytest

from adapters.keys import KeyKind
from tests.end_to_end.dorsum_client import PATH, Dorsum, keys_of, silence
from tests.end_to_end.dragon_client import Dragon, development_token, dragon_credentials
from tests.end_to_end.profile import key_store_of
from tests.tools.abuse import bodies
from tests.tools.abuse.bodies import UnfinishedBodies
from tests.tools.peak_memory import MEBIBYTE, peak_bytes_of, resident_bytes

BUDGET = 64 * MEBIBYTE
BODY = 16 * MEBIBYTE
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def small_service(own_service):
    own_service.settings["HELD_BYTES"] = str(BUDGET)
    return await own_service.start()


def keys_of_another(service) -> dict[str, str]:
    """Dorsum's keys of another project."""
    keys = key_store_of(service)
    made = {
        "Api-Key": keys.create(KeyKind.SECRET, project_id="proj_another").token,
        "Client-Key": keys.create(KeyKind.CLIENT, project_id="proj_another").token,
    }
    keys.close()
    return made


def attack(service, keys, **more) -> UnfinishedBodies:
    return UnfinishedBodies("127.0.0.1", service.port, PATH, keys | JSON, BODY, **more)


async def held_bytes(service) -> int:
    metrics = await service.api().call("GET", "/metrics")
    return next(
        int(float(line.split()[1]))
        for line in metrics.body.decode().splitlines()
        if line.startswith("tapedeck_held_bytes ")
    )


async def until(reached) -> None:
    async with asyncio.timeout(60):
        while not reached():
            await asyncio.sleep(0.01)


async def nothing_is_held(service) -> None:
    async with asyncio.timeout(60):
        while await held_bytes(service):
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_unfinished_bodies_are_held_within_the_budget_and_leave_room_for_others(small_service):
    service = small_service
    assert (await Dorsum.of(service).send(silence(1), final=True)).status == 200  # everything is loaded
    before = peak_bytes_of(service.answering())
    keys = keys_of(service)
    async with attack(service, keys) as whole, attack(service, keys, is_chunked=True) as unannounced:
        await whole.send(60)
        await unannounced.send(10)
        await until(lambda: len(whole.answers) == 58 and len(unannounced.answers) == 10)
        for status, headers in whole.answers + unannounced.answers:
            assert (status, headers["Retry-After"]) == (503, "5")
        assert await held_bytes(service) == 2 * BODY  # half of the budget, which is all that one caller gets
        assert peak_bytes_of(service.answering()) - before < BUDGET + 48 * MEBIBYTE

        refused = await Dorsum.of(service).send(silence(2))
        assert refused.status == 503
        assert refused.json == {
            "message": "The service holds as much as it may at once; try again in a moment.",
            "code": 503,
        }
        busy = await service.api().call("POST", "/v1/end-users", body={})  # of the same project
        assert (busy.status, busy.error["code"], busy.headers["Retry-After"]) == (503, "busy", "1")
        honest = Dorsum(service.url, keys_of_another(service))
        assert (await honest.send(silence(3))).status == 200
    await nothing_is_held(service)
    assert (await Dorsum.of(service).send(silence(4))).status == 200


async def test_the_metadata_of_dragons_forms_is_held_within_the_budget(small_service):
    service, credentials = small_service, dragon_credentials(small_service)
    dragon = await Dragon.connect(service)
    head = {
        "Authorization": f"Bearer {await development_token(credentials)}",
        "Content-Type": "multipart/form-data; boundary=b",
        "x-correlation-id": str(uuid4()),
    }
    path, beginning = (
        "/audio/storeChunk?api-version=2025-07-15",
        b'--b\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n',
    )
    forms = UnfinishedBodies("127.0.0.1", service.port, path, head, 250_000, beginning=beginning, method="PUT")
    async with forms:
        await forms.send(250)
        await until(lambda: len(forms.answers) >= 60)
        assert {(status, headers["Retry-After"]) for status, headers in forms.answers} == {(503, "1")}
        assert BUDGET // 2 - 250_000 <= await held_bytes(service) <= BUDGET // 2
        refused = await dragon.announce(data=json.dumps("x" * 250_000))
        assert (refused.status, refused.json) == (
            503,
            {"error": "The service holds as much as it may at once; try again in a moment."},
        )
    await nothing_is_held(service)
    assert (await dragon.announce()).status == 200


@pytest.mark.slow
async def test_what_a_peak_took_is_given_back(small_service):
    service = small_service
    assert (await Dorsum.of(service).send(silence(1), final=True)).status == 200
    before = resident_bytes(service.process.pid)
    async with attack(service, keys_of(service)) as one, attack(service, keys_of_another(service)) as another:
        await one.send(2)
        await another.send(1)
        assert resident_bytes(service.process.pid) - before > 2 * BODY
    async with asyncio.timeout(60):
        while resident_bytes(service.process.pid) - before > BODY:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("junk", "sentence"),
    [
        (bodies.nested_junk, "chunk[0] is an array, not a number."),
        (bodies.texts_junk, "A chunk must have exactly 480000 samples (30 seconds at 16 kHz), not 3932161."),
        (bodies.junk_beside, "JSON may have at most 500000 values here."),
        (
            bodies.too_many_samples,
            "A chunk must have exactly 480000 samples (30 seconds at 16 kHz), not 7864321.",
        ),
    ],
)
async def test_a_body_that_is_all_structure_is_refused_without_making_anything_of_it(service, junk, sentence):
    dorsum = Dorsum.of(service)
    body = junk(dorsum.session_id)
    before = peak_bytes_of(service.answering())
    answer = await dorsum.post(body)
    assert (answer.status, answer.json["message"]) == (400, sentence)
    assert (await dorsum.state()).status == 404
    assert peak_bytes_of(service.answering()) - before < 6 * len(body)


DOORS = [
    "/v1/recordings",
    "/v1/end-users",
    "/v1/devices",
    "/v1/webhooks",
    "/v1/recordings/search",
    "/v1/transcriptions",
]


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("path", DOORS)
async def test_json_nested_too_deeply_or_with_too_many_values_is_refused_at_every_door(api, path, named):
    headers = {"Idempotency-Key": str(uuid4())} if named else {}
    for depth in (201, 300, 1000, 19_000):
        answer = await api.call("POST", path, body=bodies.deep_metadata(depth), headers=headers)
        assert answer.status == 400, (depth, answer)
        assert "nested" in answer.error["message"]
    answer = await api.call("POST", path, body=bodies.wide_metadata(30_000), headers=headers)
    assert (answer.status, answer.error["message"]) == (400, "JSON may have at most 20000 values here.")


async def test_metadata_nested_as_deeply_as_is_taken_comes_back(api, service):
    body = bodies.deep_metadata(199)[:-1] + b', "end_user_id": "%b"}' % service.credentials["end_user_id"].encode()
    created = await api.call("POST", "/v1/recordings", body=body)
    assert created.status == 201, created
    listed = (await api.call("GET", "/v1/recordings?limit=1")).json["data"][0]
    depth, inner = 0, listed["metadata"]
    while isinstance(inner, dict):
        depth, inner = depth + 1, inner["a"]
    assert (listed["id"], depth) == (created.json["id"], 199)

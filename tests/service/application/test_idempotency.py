"""Named requests are done once, whoever asks at once and whatever breaks off in between."""

import asyncio
from contextlib import closing

import pytest

from adapters.kept_answers import Answered, KeptAnswers, NameReused
from adapters.one_thread import OneThread
from service.application.idempotency import Idempotency, about, named_request
from tests.service.running_service import TurnedClock

REQUEST = named_request("proj_1", "POST /v1/things", "key", b'{"a":1,"b":2}')


@pytest.fixture
def once(tmp_path):
    thread, ids = OneThread("test"), iter(range(1_000))
    with closing(KeptAnswers.with_key_in(tmp_path, tmp_path / "answers.sqlite3")) as kept:
        yield Idempotency(kept, thread, clock=TurnedClock(), new_id=lambda: f"id{next(ids)}")
        thread.close()


async def test_of_fifty_at_once_one_does_the_work_and_all_get_its_answer(once):
    done = []

    async def work(reserved_id):
        await asyncio.sleep(0)
        done.append(reserved_id)
        return Answered(201, reserved_id.encode())

    answers = await asyncio.gather(*(once.once(REQUEST, work) for _ in range(50)))
    assert len(done) == 1
    assert {(answer.status, answer.body) for answer in answers} == {(201, done[0].encode())}


async def test_what_breaks_off_is_begun_again_under_the_same_id(once):
    seen = []

    async def breaks(reserved_id):
        seen.append(reserved_id)
        raise ConnectionError

    async def works(reserved_id):
        seen.append(reserved_id)
        return Answered(201, b"{}")

    with pytest.raises(ConnectionError):
        await once.once(REQUEST, breaks)
    await once.once(REQUEST, works)
    assert len(seen) == 2
    assert len(set(seen)) == 1


async def test_another_body_is_refused_and_another_order_is_the_same_body(once):
    async def work(reserved_id):
        return Answered(201, reserved_id.encode(), about=about("proj_1", "x"))

    first = await once.once(REQUEST, work)
    same = named_request("proj_1", "POST /v1/things", "key", b'{ "b": 2, "a": 1 }')
    assert (await once.once(same, work)).body == first.body
    with pytest.raises(NameReused):
        await once.once(named_request("proj_1", "POST /v1/things", "key", b'{"a":1}'), work)
    for other in (("proj_2", "POST /v1/things", "key"), ("proj_1", "POST /v1/x", "key"), ("proj_1", "", "other")):
        assert (await once.once(named_request(*other, b'{"a":1,"b":2}'), work)).body != first.body
    await once.forget("proj_2", "x")
    assert (await once.once(REQUEST, work)).body == first.body
    await once.forget("proj_1", "x")
    assert (await once.once(REQUEST, work)).body != first.body


async def test_an_answer_about_what_is_deleted_while_it_is_given_is_not_kept(once):
    begun, deleted = asyncio.Event(), asyncio.Event()

    async def work(reserved_id):
        begun.set()
        await deleted.wait()
        return Answered(201, b"{}", about=about("proj_1", "x"))

    async def works(reserved_id):
        return Answered(200, b"{}")

    answering = asyncio.create_task(once.once(REQUEST, work))
    await begun.wait()
    await once.forget("proj_1", "x")
    deleted.set()
    assert (await answering).status == 201
    assert (await once.once(REQUEST, works)).status == 200


@pytest.mark.parametrize("body", [b"", b"no JSON", b"\xff", b"[" * 5_000])
async def test_bodies_that_are_not_json_are_themselves(body):
    assert named_request("p", "c", "k", body) == named_request("p", "c", "k", body)
    assert named_request("p", "c", "k", body) != named_request("p", "c", "k", body + b"x")

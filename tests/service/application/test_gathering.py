"""Questions to a slow answerer: asked together, each answered after it was asked."""

import asyncio
import gc
import weakref

import pytest

from service.application.gathering import Gathering


class Answerer:
    """Answers with how often it was called before, when the test says so."""

    def __init__(self):
        self.calls = []
        self.go_on = asyncio.Semaphore(0)
        self.was_called = asyncio.Semaphore(0)

    async def answer(self, questions):
        self.calls.append(list(questions))
        number = len(self.calls)
        self.was_called.release()
        await self.go_on.acquire()
        if "bad" in questions:
            raise ZeroDivisionError
        return [(question, number) for question in questions]


async def test_who_asks_while_an_answer_is_under_way_is_in_the_next_call_with_all_others_who_do():
    answerer = Answerer()
    gathering = Gathering(answerer.answer)
    first = asyncio.create_task(gathering.of("a"))
    await answerer.was_called.acquire()
    others = [asyncio.create_task(gathering.of(question)) for question in "abb"]
    answerer.go_on.release()
    assert await first == ("a", 1)
    answerer.go_on.release()
    assert await asyncio.gather(*others) == [("a", 2), ("b", 2), ("b", 2)]
    assert answerer.calls == [["a"], ["a", "b", "b"]]


async def test_an_error_is_everybodys_in_the_call_and_nobody_elses():
    answerer = Answerer()
    gathering = Gathering(answerer.answer)
    first = asyncio.create_task(gathering.of("a"))
    await answerer.was_called.acquire()
    failing = [asyncio.create_task(gathering.of(question)) for question in ("b", "bad")]
    for _ in range(2):
        answerer.go_on.release()
    assert await first == ("a", 1)
    for each in failing:
        with pytest.raises(ZeroDivisionError):
            await each
    answerer.go_on.release()
    assert await gathering.of("c") == ("c", 3)


async def test_who_goes_away_takes_no_answer_from_the_others():
    answerer = Answerer()
    gathering = Gathering(answerer.answer)
    gone, other = (asyncio.create_task(gathering.of(question)) for question in "ab")
    await answerer.was_called.acquire()
    gone.cancel()
    await asyncio.wait([gone])
    answerer.go_on.release()
    assert await other == ("b", 1)
    assert gone.cancelled()


async def test_an_error_that_nobody_waits_for_any_more_is_no_defect(caplog):
    answerer = Answerer()
    gathering = Gathering(answerer.answer)
    gone = asyncio.create_task(gathering.of("bad"))
    await answerer.was_called.acquire()
    gone.cancel()
    await asyncio.wait([gone])
    answerer.go_on.release()
    await gathering.ended()
    del gone
    gc.collect()
    assert [record for record in caplog.records if "ZeroDivisionError" in str(record.exc_info)] == []


async def test_an_error_keeps_nothing_of_those_who_asked():
    class Body:
        pass

    async def ask():
        body = Body()
        kept.append(weakref.ref(body))
        await gathering.of("bad")

    answerer, kept = Answerer(), []
    answerer.go_on.release()
    gathering = Gathering(answerer.answer)
    gc.disable()
    try:
        for each in await asyncio.gather(*(ask() for _ in range(3)), return_exceptions=True):
            assert isinstance(each, ZeroDivisionError)
        del each
        await asyncio.sleep(0)
        assert [body() for body in kept] == [None] * 3
    finally:
        gc.enable()

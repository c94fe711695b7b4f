"""Answers that are kept for one turn of the event loop."""

import asyncio

import pytest

from service.application.this_turn import ThisTurn


class Asked:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, _key: str) -> int:
        self.times += 1
        return self.times


async def test_a_turn_asks_once_for_each_key():
    asked = Asked()
    answers = ThisTurn(asked)

    assert [answers.of("a"), answers.of("a"), answers.of("b"), answers.of("a")] == [1, 1, 2, 1]


async def test_what_arrives_later_is_answered_anew():
    asked, heard, loop = Asked(), [], asyncio.get_running_loop()
    answers = ThisTurn(asked)
    answers.of("a")
    later: asyncio.Future[None] = loop.create_future()
    loop.call_soon(later.set_result, None)  # as the arrival of a request wakes its handler

    await later
    heard.append(answers.of("a"))

    assert heard == [2]


async def test_requests_that_arrived_together_share_an_answer():
    answers, heard = ThisTurn(Asked()), []

    async def handle() -> None:
        heard.append(answers.of("a"))

    await asyncio.gather(*(handle() for _ in range(5)))

    assert heard == [1] * 5


async def test_a_failure_is_not_kept():
    failures = iter([OSError("the file is gone")])

    def ask(_key: str) -> str:
        for failure in failures:
            raise failure
        return "found"

    answers = ThisTurn(ask)
    with pytest.raises(OSError, match="gone"):
        answers.of("a")

    assert answers.of("a") == "found"


def test_outside_of_a_loop_every_answer_is_asked_for():
    answers = ThisTurn(Asked())

    assert [answers.of("a"), answers.of("a")] == [1, 2]

"""What an API process knows of the one that answers all but chunks."""

import asyncio

import pytest

from service.runtime.processes import leads as module
from service.runtime.processes.leads import HERE, Leads, NotHandedOver


def now():
    return asyncio.get_running_loop().time()


async def test_who_asks_waits_until_one_leads_and_not_for_ever():
    leads = Leads(None, may_change=True)
    asking = asyncio.create_task(leads.known(now() + 60))
    await asyncio.sleep(0)
    leads.tell("http://one")
    assert await asking == "http://one"
    leads.tell(None)
    with pytest.raises(NotHandedOver, match="try again"):
        await leads.known(now())


async def test_an_answer_is_waited_for_as_long_as_no_other_leads():
    leads, answer = Leads(HERE, may_change=True), asyncio.get_running_loop().create_future()

    async def asked():
        return await answer

    asking = asyncio.create_task(leads.unless_another(HERE, asked()))
    for place in (None, HERE, None):
        leads.tell(place)
        await asyncio.sleep(0)
    answer.set_result("it")
    assert await asking == "it"


async def test_who_led_and_does_not_answer_is_given_up_some_time_after_another_leads(monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.01)
    leads, ended = Leads("http://one", may_change=True), asyncio.Event()

    async def hangs():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    asking = asyncio.create_task(leads.unless_another("http://one", hangs()))
    await asyncio.sleep(0)
    leads.tell("http://two")
    with pytest.raises(NotHandedOver):
        await asking
    assert ended.is_set()


async def test_what_who_led_still_answers_counts_although_another_leads():
    leads = Leads("http://one", may_change=True)

    async def slow():
        await asyncio.sleep(0.05)
        return "it"

    asking = asyncio.create_task(leads.unless_another("http://one", slow()))
    await asyncio.sleep(0)
    leads.tell("http://two")
    assert await asking == "it"


async def test_an_error_of_the_answer_is_the_caller_s():
    async def fails():
        raise ConnectionError

    for may_change in (True, False):
        with pytest.raises(ConnectionError):
            await Leads(HERE, may_change=may_change).unless_another(HERE, fails())

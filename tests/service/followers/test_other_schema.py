"""Followers of a service whose view another version has begun anew, in another shape."""

import asyncio
from uuid import uuid4

import pytest

from adapters.database.opening import open_database
from service.followers.supervision import Supervision
from service.runtime.places import (
    ambient_sessions_place,
    note_orders_place,
    search_place,
    usage_place,
    views_place,
)
from tests.domain.histories import note_ordered, session_opened
from tests.service.dialects.bota.spoken import Spoken
from tests.service.running_service import TurnedClock, running_service
from tests.table_content import table_content

BEGUN_ANEW = "UPDATE reflects SET schema=schema+1, position=0"
VIEWS = {
    "summaries": (
        views_place,
        ["UPDATE summaries_schema SET version=version+1", "UPDATE summaries_position SET position=0"],
    ),
    "note_orders": (note_orders_place, [BEGUN_ANEW]),
    "ambient_sessions": (ambient_sessions_place, [BEGUN_ANEW]),
    "search": (search_place, ["UPDATE search_state SET schema=schema+1, position=0"]),
    "usage": (usage_place, [BEGUN_ANEW]),
}
"""Where the view of each follower is, and what makes it another version's."""


@pytest.fixture(params=["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.slow)])
def either(request):
    """Settings with which the views are in files, or in PostgreSQL."""
    return {} if request.param == "SQLite" else {"database_url": request.getfixturevalue("database")}


@pytest.fixture
def runs(monkeypatch):
    """The follower of each run that began."""
    names, keep_running = [], Supervision.keep_running

    def counting(supervision, name, run):
        async def counted():
            names.append(name)
            await run()

        return keep_running(supervision, name, counted)

    monkeypatch.setattr(Supervision, "keep_running", counting)
    return names


async def record_something_for_each_view(running):
    await Spoken(running.stores, "proj_1").recording("one rash")
    await running.stores.log.append(uuid4(), 0, [note_ordered()], trace_id=None)
    await running.stores.log.append(uuid4(), 0, [session_opened()], trace_id=None)


def followers_of_views(running):
    service = running.service
    views = (
        service.projector,
        service.note_order_view,
        service.session_view,
        service.search_follower,
        service.usage_view,
    )
    return {view.name: view for view in views}


def hand_over(place, statements):
    database = open_database(place, durable=False)
    with database.writing() as tables:
        for statement in statements:
            tables.execute(statement)
    database.close()


@pytest.mark.parametrize("name", VIEWS)
async def test_a_follower_says_so_in_a_sentence_and_writes_nothing_until_the_service_starts_again(
    tmp_path, either, runs, caplog, name
):
    place_of, by_another = VIEWS[name]

    def told():
        return [record for record in caplog.records if getattr(record, "follower", None) == name]

    async with running_service(tmp_path / "data", TurnedClock(), **either) as running, asyncio.timeout(120):
        await record_something_for_each_view(running)
        await followers_of_views(running)[name].wait_for(running.stores.log.head, seconds=60)
        place = place_of(running.settings)
        hand_over(place, by_another)
        before = table_content(place)
        await record_something_for_each_view(running)
        while len(told()) < 3:
            await asyncio.sleep(0.01)
        assert table_content(place) == before
        assert runs.count(name) - len(told()) in {0, 1}
    for record in told():
        assert (record.levelname, record.exc_info) == ("WARNING", None)
        assert record.message == "follower leaves its view alone until the service starts again"
        assert record.because.endswith(" was made by another version, in another shape.")
    async with running_service(tmp_path / "data", TurnedClock(), **either) as running:
        await followers_of_views(running)[name].wait_for(running.stores.log.head, seconds=60)

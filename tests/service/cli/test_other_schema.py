"""Commands beside a service of another version, which makes other rows: they leave its views alone, and say so."""

import asyncio
from uuid import uuid4

import pytest
from click.testing import CliRunner

from adapters.database.opening import open_database
from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from service.cli import main
from service.runtime.places import (
    ambient_sessions_place,
    note_orders_place,
    quotas_place,
    search_place,
    usage_place,
    views_place,
)
from service.runtime.settings import load_settings
from tests.domain.histories import chunk, note_ordered, opened, session_opened
from tests.table_content import table_content

VIEWS = {
    "summaries": (views_place, "UPDATE summaries_schema SET version=version+1", "The status view"),
    "orders": (note_orders_place, "UPDATE reflects SET schema=schema+1", "The view of note orders"),
    "sessions": (ambient_sessions_place, "UPDATE reflects SET schema=schema+1", "The view of ambient sessions"),
    "search": (search_place, "UPDATE search_state SET schema=schema+1", "The search index"),
    "usage": (usage_place, "UPDATE reflects SET schema=schema+1", "The view of what projects use"),
}
"""Where each is, how it becomes another version's, and what it is called."""

WHAT_TO_DO = (
    "was made by another version, in another shape; use the command of the version that serves, "
    "or start the service with this version once."
)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def settings(request, tmp_path, monkeypatch):
    """Of a log with something for each view."""
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path / "data"))
    if request.param == "PostgreSQL":
        monkeypatch.setenv("TAPEDECK_DATABASE_URL", request.getfixturevalue("database"))
    settings = load_settings()
    settings.data_dir.mkdir()
    asyncio.run(tell(EventLog(open_log(settings.log_url).recorder)))
    return settings


async def tell(log):
    for history in ([opened(), chunk(1, b"12345")], [note_ordered()], [session_opened()]):
        await log.append(uuid4(), 0, history, trace_id=None)
    await log.close()


def tapedeck(*words):
    ran = CliRunner().invoke(main, words)
    return ran.exit_code, ran.output


def hand_over(place, statement):
    """Let another version have made the view. Returns what is in it."""
    database = open_database(place, durable=False)
    with database.writing() as tables:
        tables.execute(statement)
    database.close()
    return table_content(place)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_another_version_is_not_rebuilt_and_stays_as_it_is(settings, view):
    place_of, by_another, called = VIEWS[view]
    assert tapedeck("rebuild", view) == (0, f"{view}: rebuilt from 4 events.\n")
    place = place_of(settings)
    before = hand_over(place, by_another)
    assert tapedeck("rebuild", view) == (1, f"Error: {view} cannot be rebuilt: {called} {WHAT_TO_DO}\n")
    assert table_content(place) == before


@pytest.mark.parametrize(
    "words", [("show",), ("set", "proj_1", "bytes", "5"), ("reset", "proj_1")], ids=lambda words: words[0]
)
def test_what_projects_use_by_another_version_is_not_shown_no_quota_is_changed_and_the_view_stays(settings, words):
    place_of, by_another, called = VIEWS["usage"]
    assert tapedeck("quotas", "set", "proj_1", "bytes", "1000")[0] == 0
    assert tapedeck("rebuild", "usage")[0] == 0
    places = [place_of(settings), quotas_place(settings)]
    hand_over(places[0], by_another)
    before = [table_content(place) for place in places]
    assert tapedeck("quotas", *words) == (1, f"Error: The quotas cannot be used: {called} {WHAT_TO_DO}\n")
    assert [table_content(place) for place in places] == before

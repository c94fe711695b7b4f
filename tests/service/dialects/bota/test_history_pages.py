"""A history is answered in pages, however long it is."""

import pytest

from service.dialects.bota.paging import LARGEST_HISTORY_PAGE
from tests.service.running_service import TurnedClock, running_service


@pytest.fixture
async def running(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock(), max_chunks=LARGEST_HISTORY_PAGE + 1) as running:
        yield running


async def pages(api, recording, query=""):
    """Each page of its history, by following the cursors."""
    found = [await api.get(recording, f"/events?{query}")]
    while found[-1]["next_cursor"] is not None:
        found.append(await api.get(recording, f"/events?{query}&cursor={found[-1]['next_cursor']}"))
    return found


def versions(page):
    return [event["version"] for event in page["data"]]


@pytest.mark.slow
async def test_a_long_history_comes_in_pages_that_are_never_larger_than_the_largest(running):
    api = running.api
    recording = await api.upload([b"%d" % number for number in range(LARGEST_HISTORY_PAGE + 1)])
    found = await pages(api, recording)
    assert [len(page["data"]) for page in found] == [LARGEST_HISTORY_PAGE, 2]
    assert [page["has_more"] for page in found] == [True, False]
    assert [version for page in found for version in versions(page)] == [*range(1, LARGEST_HISTORY_PAGE + 3)]


async def test_a_history_that_grows_while_it_is_paged_repeats_nothing_and_skips_nothing(running):
    api = running.api
    recording = await api.upload([b"1", b"2", b"3"])
    first = await api.get(recording, "/events?limit=2")
    assert (await api.put(recording, 4, b"4")).status == 200
    second = await api.get(recording, f"/events?limit=2&cursor={first['next_cursor']}")
    third = await api.get(recording, f"/events?limit=2&cursor={second['next_cursor']}")
    assert [versions(page) for page in (first, second, third)] == [[1, 2], [3, 4], [5]]
    assert (third["has_more"], third["next_cursor"]) == (False, None)


async def test_what_is_no_page_is_refused_by_name(running):
    recording = await running.api.create()
    for query in ("limit=0", "limit=501", "limit=x", "cursor=x", "cursor=djA", "cursor=dsKyMQ"):
        refused = await running.api.call("GET", f"/v1/recordings/{recording['id']}/events?{query}")
        assert (refused.status, refused.error["type"]) == (400, "invalid_request")
        assert query.partition("=")[0] in refused.error["message"]

"""One chunk of one recording sent again and again with other bytes: what that may cost is limited."""

import aiohttp
import pytest

from adapters.event_log.opening import open_log
from domain.decisions import MOST_REPLACEMENTS
from service.dialects.bota.identifiers import recording_id_of
from tests.tools.abuse.replacements import Replacements


@pytest.mark.slow
async def test_one_recording_makes_the_log_grow_only_so_far(service):
    attack = Replacements(service.url, service.credentials["api_key"])
    async with aiohttp.ClientSession() as http:
        recording, template = await attack.opened(http)
        await attack.replace(http, template, MOST_REPLACEMENTS + 20)
    assert attack.outcomes == {(200, ""): MOST_REPLACEMENTS + 2, (409, "replaced_too_often"): 18}
    log = open_log(service.log_url)
    events = log.recorder.select_events(recording_id_of(recording))
    log.close()
    assert len(events) == MOST_REPLACEMENTS + 3
    assert sum(len(event.state) for event in events) < 1_000 * len(events)

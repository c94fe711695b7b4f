"""One chunk of one recording sent again and again with other bytes: what that may cost is limited."""

import sqlite3

import aiohttp
import pytest

from domain.decisions import MOST_REPLACEMENTS
from service.dialects.bota.identifiers import recording_id_of
from tests.end_to_end.profile import of_files
from tests.tools.abuse.replacements import Replacements


@of_files
@pytest.mark.slow
async def test_one_recording_makes_the_log_grow_only_so_far(service):
    attack = Replacements(service.url, service.credentials["api_key"])
    async with aiohttp.ClientSession() as http:
        recording, template = await attack.opened(http)
        await attack.replace(http, template, MOST_REPLACEMENTS + 20)
    assert attack.outcomes == {(200, ""): MOST_REPLACEMENTS + 2, (409, "replaced_too_often"): 18}
    with sqlite3.connect(f"{(service.data_dir / 'tapedeck.sqlite3').as_uri()}?mode=ro", uri=True) as log:
        query = "SELECT count(*), sum(length(state)) FROM stored_events WHERE originator_id=?"
        events, size_bytes = log.execute(query, (recording_id_of(recording).hex,)).fetchone()
    assert events == MOST_REPLACEMENTS + 3
    assert size_bytes < 1_000 * events

"""The words of a deleted recording are nowhere in what is stored, also of a service that is killed meanwhile."""

import asyncio
import re

import pytest

from tests.end_to_end.profile import content_of, tables_of
from tests.end_to_end.service_process import short_speech, slices

LONG = 5
"""Shorter words may be there by chance."""


def words_in(content, words):
    """Those that are in it, in any case and with any ending."""
    content = content.lower()
    return [word for word in words if word[:LONG].encode() in content]


@pytest.mark.slow
async def test_the_words_of_a_deleted_recording_are_nowhere_though_the_service_is_killed_at_once(own_service):
    api = (await own_service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    await api.finalize(recording, 3)
    text = (await api.transcript(recording))["text"]
    words = [word for word in re.findall("[a-z]+", text.lower()) if len(word) >= LONG]
    query = {"query": text, "end_user_id": own_service.credentials["end_user_id"]}
    (found,) = (await api.call("POST", "/v1/recordings/search", body=query)).json["results"]
    assert found["recording_id"] == recording["id"]
    assert found["chunk_text"] in text
    assert words_in(content_of(own_service), words) == words != []
    assert words_in(tables_of(own_service, "search"), words) == []

    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    await own_service.restart()
    assert (await api.call("POST", "/v1/recordings/search", body=query)).json == {"results": []}
    async with asyncio.timeout(60):
        while words_in(content_of(own_service), words):
            await asyncio.sleep(0.05)

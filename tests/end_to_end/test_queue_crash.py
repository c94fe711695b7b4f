"""A queue deletes its copy after the PUT's 200, and the service is killed right then: nothing is lost."""

import asyncio

import pytest

from tests.end_to_end.sdk_queue import App, backend
from tests.end_to_end.service_process import short_speech

SIXTEEN_SECONDS = "0.0045"


@pytest.mark.slow
async def test_a_file_whose_copy_is_gone_is_completed_by_itself_after_a_kill(own_service):
    own_service.settings["UPLOAD_HOURS"] = SIXTEEN_SECONDS
    await own_service.start()
    app = App(own_service.api())
    async with backend(own_service.api()) as served:
        served.passes_tokens_on = False
        recording = {"id": await served.new_recording()}
        app.kept[recording["id"]] = short_speech()
        assert await app.work_off(await served.job(recording["id"], file_size_bytes=len(short_speech())))
    own_service.kill()
    await own_service.start()
    api = own_service.api()
    async with asyncio.timeout(60):
        while (found := await api.get(recording))["status"] == "pending":
            await asyncio.sleep(0.1)
    assert found["failure"] is None
    (finalized,) = [one for one in (await api.get(recording, "/events"))["data"] if one["type"] == "FinalizeRequested"]
    assert finalized["data"]["by_itself"] is True
    download = await api.get(recording, "/download-url")
    assert (await api.call("GET", download["download_url"], key=False)).body == short_speech()

"""What the service needs does not grow with what it is sent."""

import pytest

from tests.tools.peak_memory import MEBIBYTE, peak_bytes_of


async def body(size_bytes: int):
    block = bytes(range(256)) * 256
    for _ in range(size_bytes // len(block)):
        yield block


@pytest.mark.slow
async def test_a_chunk_of_200_mb_costs_less_than_32_mib(own_service):
    api = (await own_service.start()).api()
    recording = await api.create()
    assert (await api.put(recording, 1, body(2 * MEBIBYTE))).status == 200  # everything that is loaded once is loaded
    before = peak_bytes_of(own_service.answering())
    assert (await api.put(recording, 2, body(200 * MEBIBYTE))).status == 200
    assert peak_bytes_of(own_service.answering()) - before < 32 * MEBIBYTE
    assert (await api.get(recording, "/chunks"))["data"][1]["size_bytes"] == 200 * MEBIBYTE


@pytest.mark.slow
async def test_a_download_costs_no_more_than_its_blocks(own_service):
    own_service.settings["MAX_CHUNKS"] = "3"
    api = (await own_service.start()).api()
    wav_of_100_mb = (
        b"RIFF\x24\x00\x40\x06WAVEfmt \x10\0\0\0\x01\0\x02\0\x80\xbb\0\0\0\xee\x02\0\x04\0\x10\0data\0\0\x40\x06"
    )
    recording = await api.create(codec="wav")

    async def silence():
        yield wav_of_100_mb
        for _ in range(100):
            yield bytes(MEBIBYTE)

    assert (await api.put(recording, 1, silence())).status == 200
    assert (await api.finalize(recording, 1)).status == 200
    assert (await api.ended(recording))["file_size_bytes"] == 100 * MEBIBYTE + 44
    url = (await api.get(recording, "/download-url"))["download_url"]
    before = peak_bytes_of(own_service.answering())
    answer = await api.call("GET", url, key=False)
    assert len(answer.body) == 100 * MEBIBYTE + 44
    assert peak_bytes_of(own_service.answering()) - before < 32 * MEBIBYTE

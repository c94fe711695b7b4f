"""A service with several API processes starts, is refused its start and stops as one with a single process does."""

import asyncio

import pytest

from tests.end_to_end.service_process import ServiceProcess

pytestmark = pytest.mark.slow


async def test_a_file_of_tls_that_is_missing_stops_the_start_with_the_line_that_one_process_ends_with(tmp_path):
    said = []
    for number in ("1", "2"):
        service = ServiceProcess(tmp_path / number, {"API_PROCESSES": number})
        missing = {"TLS_CERT": "/no/such/file", "TLS_KEY": "/no/such/file", "PORT": str(service.port)}
        process = service.launch(service.command, service.settings | missing | {"DATA_DIR": str(service.data_dir)})
        try:
            assert await asyncio.to_thread(process.wait, 120) == 1
        finally:
            service.kill()
        said.append([line for line in service.log_file.read_text().splitlines() if not line.startswith('{"at":')])
    assert said[0] == said[1]
    assert "No such file" in said[0][0]


async def test_a_service_that_is_about_to_stop_says_so_part_by_part_whichever_process_is_asked(tmp_path):
    service = ServiceProcess(tmp_path / "data", {"API_PROCESSES": "2", "DRAIN_SECONDS": "600"})
    api = (await service.start()).api()
    try:
        service.process.terminate()
        async with asyncio.timeout(120):
            while (await api.call("GET", "/readyz", key=False)).status == 200:
                await asyncio.sleep(0.05)
        for _ in range(8):  # each over a connection of its own
            told = (await api.call("GET", "/readyz", key=False)).json
            assert told["parts"].keys() > {"process", "api_processes", "event_log"}
            assert told["parts"]["process"]["because"] == told["reason"] == "The service is about to stop."
    finally:
        service.kill()

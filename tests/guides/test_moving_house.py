"""The guide to moving from files to PostgreSQL and a bucket: its steps, one after another, with real servers."""

import asyncio
import re

import pytest

from tests.end_to_end.service_process import ServiceProcess, short_speech, slices
from tests.end_to_end.test_download import download
from tests.guides.guides import block
from tests.guides.shell import checkout, run
from tests.tools.s3.server import ACCESS_KEY, REGION, SECRET_KEY


@pytest.fixture
def folder(tmp_path, own_service):
    return checkout(tmp_path, own_service.data_dir)


@pytest.fixture
def new(folder):
    """The service that the data goes to."""
    new = ServiceProcess(folder / ".data-new")
    yield new
    new.kill()


async def ended(api, chunks):
    recording = await api.upload(chunks)
    assert (await api.finalize(recording, len(chunks))).status == 200
    await api.ended(recording)
    return recording


@pytest.mark.slow
async def test_a_service_in_files_moves_to_postgresql_and_a_bucket_step_by_step(own_service, new, folder, database, s3):
    script = block("service/runtime/README.md", "From files to PostgreSQL and a bucket", "sh", number=1)
    bucket = s3.new_bucket()
    for told, real in {
        "'postgresql://tapedeck:PASSWORD@postgres.example.com:5432/tapedeck'": database,
        "'s3://recordings/tapedeck?endpoint=https://s3.example.com'": f"{bucket}/tapedeck?endpoint={s3.endpoint}",
        "'us-east-1'": REGION,
        "'ACCESS_KEY'": ACCESS_KEY,
        "'SECRET_KEY'": SECRET_KEY,
    }.items():
        assert script.count(told) == 1
        script = script.replace(told, f"'{real}'")
    run(script, folder)
    assert (folder / "new.env").stat().st_mode & 0o777 == 0o600

    api = (await own_service.start()).api()
    spoken = await ended(api, slices(short_speech(), 2))
    a_pass = block("service/runtime/README.md", "From files to PostgreSQL and a bucket", "sh", number=2)
    assert "This was a pass." in (await asyncio.to_thread(run, a_pass, folder)).stdout
    since = await ended(api, [b"not audio"])
    known = await api.get(spoken), await api.get(since), (await download(api, spoken)).body
    assert known[0]["status"] == "completed"
    old_keys = run(".venv/bin/tapedeck keys list", folder).stdout.splitlines()
    assert old_keys
    assert own_service.stop() == 0
    last = block("service/runtime/README.md", "From files to PostgreSQL and a bucket", "sh", number=3)
    assert "The copy is complete." in (await asyncio.to_thread(run, last, folder)).stdout

    start = block("service/runtime/README.md", "From files to PostgreSQL and a bucket", "sh", number=4)
    new.command = ("sh", "-euc", f"cd {folder}\n{start}")
    api = (await new.start()).api()
    assert (await api.get(spoken), await api.get(since), (await download(api, spoken)).body) == known
    await ended(api, [b"nor this"])
    looked = block("service/runtime/README.md", "From files to PostgreSQL and a bucket", "sh", number=5)
    checked, *keys = run(looked, folder).stdout.splitlines()
    assert re.fullmatch(r"\d+ blobs of the log were read, [\d,]+ bytes; 0 more are stored\.", checked)
    assert sorted(keys) == sorted(old_keys)
    assert not (folder / ".data-new/blobs").exists()

"""Dorsum's guide: stored chunks are had back and a failed session is processed again, as it stands."""

import asyncio

import orjson
import pytest

from tests.end_to_end.dorsum_client import Dorsum, failed_at_stitching, silence
from tests.guides.guides import block
from tests.guides.shell import checkout, run


@pytest.mark.slow
async def test_a_session_is_had_back_and_processed_again_as_it_stands(service, tmp_path):
    progress = block("service/dialects/dorsum/README.md", "A consultation by hand", "sh")
    calls = block("service/dialects/dorsum/README.md", "A consultation by hand", "sh", number=2)
    dorsum = Dorsum.of(service)
    await failed_at_stitching(service, dorsum)
    folder = checkout(tmp_path, service.data_dir)
    script = (progress + "echo\n" + calls).replace("http://127.0.0.1:8080", service.url)
    ran = await asyncio.to_thread(run, script, folder, SESSION=dorsum.session_id)
    standing, listed, retried = map(orjson.loads, ran.stdout.splitlines())
    assert (standing["failure"]["stage"], len(listed["chunks"]), retried["code"]) == ("stitch", 1, 202)
    stored = silence().tobytes()
    assert (folder / "session.pcm").read_bytes() == (folder / "first.pcm").read_bytes() == stored

"""Dragon's guide: its walk-through runs as it stands, the recording is found, and the allow list can be used."""

import re

import orjson
import pytest

from adapters.tokens.allow_list import parse_allow_list
from tests.end_to_end.service_process import short_speech
from tests.guides.guides import block
from tests.guides.shell import checkout, run


@pytest.mark.slow
def test_the_walk_through_runs_as_it_stands_and_the_customers_key_finds_the_recording(service, tmp_path):
    walk = block("service/dialects/dragon/README.md", "A recording by hand", "sh")
    find = block("service/dialects/dragon/README.md", "Who sees the recordings", "sh")
    ran = run(walk + find, checkout(tmp_path, service.data_dir))
    (made,) = ran.stderr.splitlines()
    assert made.endswith("it will not be shown again.")
    session, *stored, finalized = ran.stdout.splitlines()[:5]
    assert '"status":"active"' in session
    assert {*stored, finalized} == {'{"error":null}'}
    (visit,) = re.findall(r"external id +(visit-[0-9a-f-]+)/1 *\n", ran.stdout)
    recordings, sessions = [orjson.loads(line)["data"] for line in ran.stdout.splitlines()[-2:]]
    assert [recording["external_id"] for recording in recordings] == [f"{visit}/1"]
    assert visit in [session["correlation_id"] for session in sessions]


PREPARE = """
store 1; store 2 -F "content=@junk;filename=chunk.bin"
curl -sS --fail-with-body "$URL/audio/finalizeUpload?api-version=2025-07-15" -H "$AUTHORIZATION" \\
  -H "x-correlation-id: $(uuid)" -d "{$IDS, \\"recordingId\\": 1, \\"totalChunks\\": 2}"; echo
"""
UNTIL = """
until ask chunks | grep -q '"status":"%s"'; do sleep 0.1; done
"""


@pytest.mark.slow
def test_a_failed_recording_is_mended_as_it_stands(service, tmp_path):
    walk = block("service/dialects/dragon/README.md", "A recording by hand", "sh")
    mend = block("service/dialects/dragon/README.md", "When stitching fails", "sh")
    helpers = walk.partition("split -b")[0]
    folder = checkout(tmp_path, service.data_dir)
    junk = b"This is a letter and no audio at all. " * 100
    (folder / "junk").write_bytes(junk)
    (folder / "right").write_bytes(short_speech())
    ask, calls = re.split(r"(?<=^}\n)(?=ask chunks; echo)", mend, flags=re.MULTILINE)
    script = helpers + PREPARE + ask + UNTIL % "failed" + calls + UNTIL % "completed"
    ran = run(script, folder, RIGHT="right")
    assert '"stage":"stitch"' in ran.stdout
    assert (folder / "all.bin").read_bytes() == (folder / "second.bin").read_bytes() == junk


def test_the_allow_list_in_it_can_be_used():
    example = block("service/dialects/dragon/README.md", "Which tokens are accepted", "toml")
    (issuer,) = parse_allow_list(example).issuers.values()
    assert list(issuer.applications) == ["partner-client"]

"""Dragon's guide: its walk-through runs as it stands, the recording is found, and the allow list can be used."""

import re

import orjson

from adapters.tokens.allow_list import parse_allow_list
from tests.guides.guides import block
from tests.guides.shell import checkout, run


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
    (found,) = orjson.loads(ran.stdout.splitlines()[-1])["data"]
    assert found["external_id"] == f"{visit}/1"


def test_the_allow_list_in_it_can_be_used():
    example = block("service/dialects/dragon/README.md", "Which tokens are accepted", "toml")
    (issuer,) = parse_allow_list(example).issuers.values()
    assert list(issuer.applications) == ["partner-client"]

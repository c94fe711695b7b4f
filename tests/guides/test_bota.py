"""Bota's guide: its walk-through runs as it stands."""

import asyncio
import hashlib
from json import loads
from secrets import token_hex

import pytest

from adapters.keys import KeyKind
from service.sample import spoken_text
from service.sample.word_error_rate import word_error_rate
from tests.end_to_end.listening import listening_at
from tests.end_to_end.profile import key_store_of
from tests.end_to_end.service_process import short_speech, slices
from tests.guides.guides import block
from tests.guides.shell import checkout, run
from tests.left_out import needed


@pytest.mark.slow
def test_the_walk_through_runs_as_it_stands(service, tmp_path):
    walk = block("service/dialects/bota/README.md", "A recording by hand", "sh")
    search = block("service/dialects/bota/README.md", "Search", "sh")
    summarize = block("service/dialects/bota/README.md", "Summaries", "sh")
    listen = block("service/dialects/bota/README.md", "Listening", "sh")
    ran = run(walk + search + summarize + listen, checkout(tmp_path, service.data_dir, whole_sample=True))
    assert ran.stderr == ""
    finalized, status, transcript, events, same, found, summary, *heard = ran.stdout.strip().splitlines()
    assert status == "completed"
    assert '"status":"uploaded"' in finalized
    assert word_error_rate(spoken_text(), transcript) <= 0.02
    assert '"type":"Transcribed"' in events
    assert same == "The audio is the audio that was sent."
    assert any("headache" in result["chunk_text"] for result in loads(found)["results"])
    assert loads(summary)["status"] == "completed"
    assert loads(summary)["output"]["plan"]
    assert heard[-2] == "event: transcript"
    told = [loads(line.removeprefix("data: ")) for line in heard if line.startswith("data: ")]
    assert " ".join(each["text"] for each in told if "text" in each) == transcript


async def test_a_failed_recording_is_mended_as_it_stands(service, tmp_path):
    walk = block("service/dialects/bota/README.md", "A recording by hand", "sh")
    mend = block("service/dialects/bota/README.md", "When stitching fails", "sh")
    helpers = walk.partition("# 1. ")[0]
    api, chunks = service.api(), slices(short_speech(), 3)
    wrong = [chunks[0], bytes(len(chunks[1])), chunks[2]]
    recording = await api.upload(wrong)
    await api.finalize(recording, 3, checksum_md5=hashlib.md5(short_speech()).hexdigest())
    assert (await api.ended(recording))["failure"]["stage"] == "stitch"

    folder = checkout(tmp_path, service.data_dir)
    (folder / "right").write_bytes(chunks[1])
    show = 'cat "$DIR/all.bin" > all.bin; cat "$DIR/second.bin" > second.bin'
    ran = await asyncio.to_thread(run, helpers + mend + show, folder, ID=recording["id"], RIGHT="right")
    assert '"status":"uploaded"' in ran.stdout
    assert (folder / "all.bin").read_bytes() == b"".join(wrong)
    assert (folder / "second.bin").read_bytes() == wrong[1]
    assert (await api.ended(recording))["status"] == "completed"


def test_an_end_user_and_a_device_of_theirs_as_it_stands(service, tmp_path):
    walk = block("service/dialects/bota/README.md", "A recording by hand", "sh")
    script = block("service/dialects/bota/README.md", "End users and devices", "sh")
    show = 'cat "$DIR/bound.json" "$DIR/recording.json"'
    ran = run(walk.partition("# 1. ")[0] + script + show, checkout(tmp_path, service.data_dir))
    assert ran.stderr == ""
    heartbeat, config, shown = ran.stdout.strip().splitlines()
    assert heartbeat == '{"status":"ok"}'
    assert '"streaming_enabled":true' in config
    assert '"model":"bota_note"' in shown
    assert '"status":"bound"' in shown
    assert '"chunk_upload_url_template"' in shown


async def test_a_key_is_made_and_revoked_as_it_stands(service, tmp_path):
    helpers = block("service/dialects/bota/README.md", "A recording by hand", "sh").partition("# 1. ")[0]
    script = block("service/dialects/bota/README.md", "Keys", "sh")
    script = helpers + script + 'field token < "$DIR/key.json"'
    ran = await asyncio.to_thread(run, script, checkout(tmp_path, service.data_dir))
    assert ran.stderr == ""
    shown, token = ran.stdout.strip().splitlines()
    assert (loads(shown)["kind"], loads(shown)["scopes"]) == ("restricted", ["recordings:read"])
    assert (await service.api(token).call("GET", "/v1/keys/current")).status == 401


OPENED, STORED = "tapedeck.recording.opened.v1", "tapedeck.recording.chunk_stored.v1"


async def test_all_events_are_heard_as_it_stands(service, tmp_path):
    helpers = block("service/dialects/bota/README.md", "A recording by hand", "sh").partition("# 1. ")[0]
    listen = block("service/dialects/bota/README.md", "All events", "sh")
    api = service.api()
    recording = await api.upload([b"one"])
    script = helpers + listen.replace("curl", "echo; curl")
    ran = await asyncio.to_thread(run, script, checkout(tmp_path, service.data_dir), ID=recording["id"])
    assert ran.stderr == ""
    told = [loads(line.removeprefix("data: ")) for line in ran.stdout.splitlines() if line.startswith("data: ")]
    types = [one["type"] for one in told]
    assert types[:2] == [OPENED, STORED]
    assert set(types[2:]) <= {OPENED, "tapedeck.recording.deleted.v1"}
    assert recording["id"] in [one["data"]["client_ids"].get("recording_id") for one in told[2:]]


async def test_a_pages_script_goes_on_after_the_last_event_that_it_was_told(service, tmp_path):
    node = needed("node", "plays a browser")
    keys = key_store_of(service)
    made = keys.create(KeyKind.SECRET, project_id=f"proj_{token_hex(8)}")
    keys.close()
    api = service.api(made.token)
    await api.create()
    async with listening_at(api, "/v1/events?since=beginning&follow=false") as heard:
        await heard.rest()
    recording = await api.upload([b"one", b"two"])
    script = block("service/dialects/bota/README.md", "All events", "js")
    show = "(id, one) => one && console.log(one.type, one.data.client_ids.recording_id)"
    show = f"follow(...process.argv.slice(2), {show});"
    (tmp_path / "follow.mjs").write_text(f"{script}\n{show}")
    process = await asyncio.create_subprocess_exec(
        node, "follow.mjs", api.url, made.token, heard.last_id, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(300):
            lines = [(await process.stdout.readline()).decode().split() for _ in range(3)]
        assert lines == [[its_type, recording["id"]] for its_type in (OPENED, STORED, STORED)]
    finally:
        process.kill()
        await process.wait()

"""A muted microphone: samples of only -1, 0 and 1 are what the session's other chunks are, and alone integers."""

import numpy as np
import orjson
import pytest

from tests.end_to_end.dorsum_client import CHUNK, Dorsum, silence, stitched_samples, stored_chunks
from tests.end_to_end.service_process import ServiceProcess

MUTED = np.random.default_rng(19).integers(-1, 2, 20_000)
LOUD = (MUTED * 32768).clip(-32768, 32767)
INTEGERS = silence()
FLOATS = INTEGERS / 32768


def half_a_minute(samples):
    """Half a minute of zeros that begins with the samples."""
    chunk = np.zeros(CHUNK, samples.dtype)
    chunk[: len(samples)] = samples
    return chunk


async def heard(service: ServiceProcess, dorsum: Dorsum, *chunks, written=orjson.dumps) -> np.ndarray:
    """The stitched samples of a session of these chunks, the last of which may be short."""
    for chunk in chunks:
        final = chunk is chunks[-1]
        body = {"session_id": dorsum.session_id, "chunk": np.asarray(chunk).tolist(), "is_final": final}
        answer = await dorsum.post(written(body))
        assert answer.status == 200, answer
    return await stitched_samples(service, answer.json["task_id"])


@pytest.fixture
def dorsum(service) -> Dorsum:
    return Dorsum.of(service)


def like_a_browser(body) -> bytes:
    """JSON.stringify writes 1.0 as 1, and so the floats of a muted microphone look like integers."""
    return orjson.dumps(body | {"chunk": [int(one) if one == int(one) else one for one in body["chunk"]]})


async def test_integers_of_a_muted_microphone_alone_are_stored_as_they_were_sent(service, dorsum):
    assert (await heard(service, dorsum, MUTED) == MUTED).all()


async def test_a_whole_muted_session_is_as_it_was_sent(service, dorsum):
    sound = await heard(service, dorsum, half_a_minute(MUTED), MUTED[::-1])
    assert (sound == np.concatenate([half_a_minute(MUTED), MUTED[::-1]])).all()


@pytest.mark.parametrize("muted_first", [False, True])
async def test_a_muted_chunk_among_integers_is_of_integers(service, dorsum, muted_first):
    chunks = [half_a_minute(MUTED), INTEGERS] if muted_first else [INTEGERS, MUTED]
    assert (await heard(service, dorsum, *chunks) == np.concatenate(chunks)).all()


@pytest.mark.parametrize("muted_first", [False, True])
async def test_a_chunk_of_full_scale_among_floats_is_of_floats(service, dorsum, muted_first):
    chunks = [half_a_minute(MUTED / 1.0), FLOATS] if muted_first else [FLOATS, MUTED / 1.0]
    sound = await heard(service, dorsum, *chunks, written=like_a_browser)
    expected = [half_a_minute(LOUD), INTEGERS] if muted_first else [INTEGERS, LOUD]
    assert (sound == np.concatenate(expected)).all()


async def test_floats_that_are_written_as_floats_are_floats_when_nothing_else_is_known(service, dorsum):
    assert (await heard(service, dorsum, MUTED / 1.0) == LOUD).all()


async def test_integers_that_are_written_as_floats_stay_integers_where_the_session_says_so(service, dorsum):
    chunks = [INTEGERS / 1.0, MUTED / 1.0]
    assert (await heard(service, dorsum, *chunks) == np.concatenate([INTEGERS, MUTED])).all()


@pytest.mark.slow
async def test_what_the_other_chunks_were_is_known_after_a_restart_and_a_chunk_sent_again_is_recognized(own_service):
    dorsum = Dorsum.of(await own_service.start())
    muted = half_a_minute(MUTED)
    first = await dorsum.send(muted, key="first")
    assert (await dorsum.send(FLOATS, key="second")).status == 200
    own_service.kill()
    await own_service.start()
    assert (await dorsum.send(muted, key="first")).body == first.body
    final = await dorsum.send(MUTED, final=True, key="third")
    sound = await stitched_samples(own_service, final.json["task_id"])
    assert (sound == np.concatenate([half_a_minute(LOUD), INTEGERS, LOUD])).all()
    assert len(await stored_chunks(own_service, final.json["task_id"])) == 3

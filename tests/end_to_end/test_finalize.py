"""Finalize is idempotent: it falls out of replay, whatever happens between one call and the next."""

import asyncio

import pytest

from tests.end_to_end.service_process import short_speech, slices

WHOLE_LIFE = ["RecordingOpened", *["ChunkStored"] * 3, "FinalizeRequested", "Stitched", "Transcribed"]


@pytest.mark.slow
async def test_finalize_twice_fifty_times_at_once_after_the_end_and_after_a_restart_gives_the_same_bytes(own_service):
    api = (await own_service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    answers = [await api.finalize(recording, 3), await api.finalize(recording, 3)]
    answers += await asyncio.gather(*(api.finalize(recording, 3) for _ in range(50)))
    assert (await api.ended(recording))["status"] == "completed"
    answers.append(await api.finalize(recording, 3))
    await own_service.restart()
    answers.append(await api.finalize(recording, 3))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert await api.event_types(recording) == WHOLE_LIFE


async def test_fifty_first_finalizes_at_once_record_one(api):
    recording = await api.upload(slices(short_speech(), 3))
    answers = await asyncio.gather(*(api.finalize(recording, 3) for _ in range(50)))
    assert len({(answer.status, answer.body) for answer in answers}) == 1
    await api.ended(recording)
    assert await api.event_types(recording) == WHOLE_LIFE


async def test_with_chunks_missing_it_names_them_and_succeeds_once_they_are_there(api):
    sample = slices(short_speech(), 12)
    recording = await api.create()
    for number in set(range(1, 13)) - {7, 11}:
        await api.put(recording, number, sample[number - 1])
    answer = await api.finalize(recording, 12)
    assert answer.status == 409
    assert answer.error["type"] == answer.error["code"] == "chunk_mismatch"
    assert answer.error["missing_chunks"] == [7, 11]
    assert "extra_chunks" not in answer.error
    for number in (11, 7):
        await api.put(recording, number, sample[number - 1])
    assert (await api.finalize(recording, 12)).json["chunks_received"] == 12
    assert (await api.ended(recording))["status"] == "completed"


async def test_with_more_chunks_than_declared_it_names_them(api):
    recording = await api.upload([b"1", b"2", b"3"])
    answer = await api.finalize(recording, 1)
    assert (answer.status, answer.error["type"], answer.error["extra_chunks"]) == (409, "chunk_mismatch", [2, 3])
    assert "missing_chunks" not in answer.error


async def test_other_parameters_after_a_success_are_refused_and_the_first_stay(api):
    recording = await api.upload([b"x"])
    first = await api.finalize(recording, 1)
    for other in ({"total_chunks": 2}, {"final_duration_ms": 7}, {"checksum_md5": "0" * 32}):
        answer = await api.finalize(recording, 1, **other)
        assert (answer.status, answer.error["type"]) == (409, "already_finalized")
    assert (await api.finalize(recording, 1)).body == first.body


async def test_a_checksum_in_capitals_is_the_same_checksum(api):
    recording = await api.upload([b"x"])
    first = await api.finalize(recording, 1, checksum_md5="9dd4e461268c8034f5c8564e155c67a6")
    again = await api.finalize(recording, 1, checksum_md5="9DD4E461268C8034F5C8564E155C67A6")
    assert (again.status, again.body) == (200, first.body)


async def test_after_finalize_the_same_bytes_are_welcome_and_others_are_not(api):
    recording = await api.upload([b"one", b"two"])
    await api.finalize(recording, 2)
    assert (await api.put(recording, 1, b"one")).status == 200
    answer = await api.put(recording, 1, b"other")
    assert (answer.status, answer.error["type"]) == (409, "already_finalized")
    assert (await api.put(recording, 3, b"three")).status == 409
    assert [chunk["size_bytes"] for chunk in (await api.get(recording, "/chunks"))["data"]] == [3, 3]


async def test_before_finalize_later_bytes_win(api):
    recording = await api.upload([b"wrong"])
    sample = short_speech()
    assert (await api.put(recording, 1, sample)).status == 200
    await api.finalize(recording, 1)
    assert (await api.ended(recording))["file_size_bytes"] == len(sample)

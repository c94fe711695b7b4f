"""The stores in memory keep the contracts of those they stand for."""

from random import Random
from typing import ClassVar

import pytest

from adapters.rebuilding import PositionMoved
from adapters.summaries import SummaryStore
from tests.adapters.blobs.contract import BlobStoreContract
from tests.adapters.claims.contract import ClaimsContract
from tests.adapters.event_log.recorder_contract import RecorderContract
from tests.tools.simulation.faults import Faults
from tests.tools.simulation.memory_blobs import MemoryBlobStore
from tests.tools.simulation.memory_claims import MemoryClaims, MemoryLocks
from tests.tools.simulation.memory_log import MemoryLog, MemoryLogRecorder
from tests.tools.simulation.memory_views import MemoryPositionStore, MemorySummaryStore
from tests.tools.simulation.run import simulate


def without_faults():
    return Faults(Random(1))


class TestMemoryLogRecorder(RecorderContract):
    logs: ClassVar[dict[str, MemoryLog]] = {}

    def open(self, place):
        return MemoryLogRecorder(self.logs.setdefault(str(place), MemoryLog(identity=str(place))), without_faults())


class TestMemoryBlobStore(BlobStoreContract):
    @pytest.fixture
    def url(self):
        pytest.skip("what is in memory has no name that another process could open it by")

    @pytest.fixture
    def store(self):
        return MemoryBlobStore({}, without_faults())


class TestMemoryClaims(ClaimsContract):
    @pytest.fixture
    def claims(self):
        return MemoryClaims(MemoryLocks())


async def test_claims_in_memory_are_others_too_until_their_session_or_process_ends():
    locks, alive = MemoryLocks(), [True]
    claims, theirs = MemoryClaims(locks), MemoryClaims(locks, lambda: alive[0])
    for end in (theirs.end_session, alive.clear):
        theirs.notice()
        async with claims.claim("stitch 1") as own, theirs.claim("stitch 1") as another:
            assert await another.take()
            assert await claims.are_elsewhere(["stitch 1"])
            assert not await own.take()
            end()
            alive.append(end != alive.clear)
            assert await own.take()


@pytest.mark.parametrize("seed", range(5))
def test_summaries_in_memory_are_those_that_the_file_keeps(seed, tmp_path):
    events, random = simulate(seed).log, Random(seed)
    kept, in_file = MemorySummaryStore(), SummaryStore(tmp_path / "views.sqlite3")
    position = 0
    while position < len(events):
        end = random.randint(position + 1, len(events))
        for store in (kept, in_file):
            store.apply(events[position:end], after=position)
            with pytest.raises(PositionMoved):
                store.apply(events[position:end], after=position)
        position = end
        assert kept.position() == in_file.position() == position
    for recorded in events:
        assert kept.find(recorded.stream_id) == in_file.find(recorded.stream_id)
    assert kept.rebuild(lambda after: events[after : after + 3]) == len(events)
    in_file.close()


def test_a_position_in_memory_is_the_one_saved_last_unless_it_was_lost():
    positions = MemoryPositionStore()
    assert positions.load("stitch") == 0
    positions.save("stitch", 7)
    positions.save("stitch", 9)
    assert (positions.load("stitch"), positions.load("other")) == (9, 0)
    faults = Faults(Random(1), chances={"saved position lost": 1.0})
    positions.lose_newest(faults)
    assert positions.load("stitch") in (0, 7, 9)

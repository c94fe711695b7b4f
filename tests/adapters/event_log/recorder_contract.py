"""What every recorder of the event log must do. A suite for a recorder subclasses this and says how to open one."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.event_log.port import Append, LogRecorder, VersionConflict


def append(stream_id: UUID, expected_version: int, count: int = 1, state: bytes = b"{}") -> Append:
    stored = [StoredEvent(stream_id, expected_version + number, "ChunkStored", state) for number in range(1, count + 1)]
    return Append(stream_id, expected_version, stored)


def positions(recorder: LogRecorder) -> list[int]:
    return [notification.id for notification in recorder.select_notifications(0, 10_000, inclusive_of_start=False)]


class RecorderContract(ABC):
    """`open(tmp_path)` opens the recorder of that place; called twice, it opens the same log twice."""

    @abstractmethod
    def open(self, place: Path) -> LogRecorder: ...

    @pytest.fixture
    def recorder(self, tmp_path):
        recorder = self.open(tmp_path)
        yield recorder
        recorder.close()

    def test_a_new_log_is_empty(self, recorder):
        assert not recorder.max_notification_id()
        assert recorder.select_notifications(0, 10) == []
        assert recorder.select_events(uuid4()) == []

    def test_a_log_has_a_name_of_its_own_for_ever(self, tmp_path):
        (tmp_path / "other").mkdir()
        one, other = self.open(tmp_path), self.open(tmp_path / "other")
        again = self.open(tmp_path)
        assert one.identity == again.identity != other.identity
        for recorder in (one, other, again):
            recorder.close()

    def test_positions_count_from_one_over_all_recordings(self, recorder):
        one, other = uuid4(), uuid4()
        assert recorder.insert_batch([append(one, 0, 2), append(other, 0)]) == [2, 3]
        assert recorder.insert_batch([append(one, 2)]) == [4]
        found = recorder.select_notifications(0, 10)
        assert [(event.id, event.originator_id, event.originator_version) for event in found] == [
            (1, one, 1),
            (2, one, 2),
            (3, other, 1),
            (4, one, 3),
        ]

    def test_where_an_event_is_can_be_looked_up(self, recorder):
        one, other = uuid4(), uuid4()
        recorder.insert_batch([append(one, 0, 2), append(other, 0), append(one, 2)])
        found = [recorder.select_position(one, version) for version in range(5)]
        assert found == [None, 1, 2, 4, None]
        assert recorder.select_position(other, 1) == 3
        assert [recorder.select_position(each) for each in (one, other, uuid4())] == [4, 3, None]
        assert recorder.select_position(uuid4(), 1) is None
        assert recorder.max_notification_id() == 4

    def test_what_was_stored_comes_back_byte_for_byte(self, recorder):
        its_id, state = uuid4(), bytes(range(256))
        recorder.insert_batch([append(its_id, 0, state=state)])
        assert recorder.select_events(its_id) == [StoredEvent(its_id, 1, "ChunkStored", state)]

    def test_a_recording_is_read_from_any_version_on(self, recorder):
        its_id = uuid4()
        recorder.insert_batch([append(its_id, 0, 5), append(uuid4(), 0, 5)])
        assert [event.originator_version for event in recorder.select_events(its_id, gt=3)] == [4, 5]

    def test_the_log_is_read_in_pages(self, recorder):
        recorder.insert_batch([append(uuid4(), 0, 7)])
        assert [event.id for event in recorder.select_notifications(2, 3, inclusive_of_start=False)] == [3, 4, 5]
        assert [event.id for event in recorder.select_notifications(2, 3)] == [2, 3, 4]
        assert recorder.select_notifications(7, 3, inclusive_of_start=False) == []

    @pytest.mark.parametrize("expected", [0, 1, 3, 7])
    def test_an_append_at_another_version_is_left_out_and_the_others_go_in(self, recorder, expected):
        contended, free = uuid4(), uuid4()
        recorder.insert_batch([append(contended, 0, 2)])
        outcomes = recorder.insert_batch([append(contended, expected), append(free, 0)])
        assert isinstance(outcomes[0], VersionConflict)
        assert outcomes[1] == 3
        assert len(recorder.select_events(contended)) == 2

    def test_appends_of_one_recording_in_one_batch_follow_each_other(self, recorder):
        its_id = uuid4()
        assert recorder.insert_batch([append(its_id, 0), append(its_id, 1, 2), append(its_id, 3)]) == [1, 3, 4]

    def test_what_was_decided_on_a_conflicting_append_conflicts_too(self, recorder):
        its_id = uuid4()
        recorder.insert_batch([append(its_id, 0)])
        outcomes = recorder.insert_batch([append(its_id, 0), append(its_id, 2)])
        assert [type(outcome) for outcome in outcomes] == [VersionConflict, VersionConflict]
        assert positions(recorder) == [1]

    def test_two_openings_see_each_other_and_only_one_wins_a_version(self, tmp_path):
        one, other = self.open(tmp_path), self.open(tmp_path)
        contended = [uuid4() for _ in range(20)]
        with ThreadPoolExecutor(2) as threads:

            def write(recorder: LogRecorder) -> list[int | VersionConflict]:
                return [recorder.insert_batch([append(its_id, 0)])[0] for its_id in contended]

            outcomes = list(threads.map(write, [one, other]))
        for pair in zip(*outcomes, strict=True):
            assert sorted(isinstance(outcome, VersionConflict) for outcome in pair) == [False, True]
        assert positions(one) == positions(other) == list(range(1, 21))
        one.close()
        other.close()

    def test_what_was_committed_is_there_when_the_log_is_opened_again(self, tmp_path):
        its_id = uuid4()
        recorder = self.open(tmp_path)
        recorder.insert_batch([append(its_id, 0, 3)])
        recorder.close()
        again = self.open(tmp_path)
        assert len(again.select_events(its_id)) == 3
        assert again.insert_batch([append(its_id, 3)]) == [4]
        again.close()

    @given(
        batches=st.lists(
            st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 3)), max_size=6), max_size=6
        )
    )
    @settings(
        max_examples=60,
        deadline=None,
        # One suite runs for many recorders, each with its own place.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    def test_any_batches_leave_each_recording_without_a_gap(self, tmp_path, batches):
        """Checked against a plain dict of versions: what fits goes in, in order; the rest is told so."""
        recorder = self.open(tmp_path)
        ids = [uuid4() for _ in range(4)]
        versions = dict.fromkeys(ids, 0)
        head = recorder.max_notification_id() or 0
        for batch in batches:
            outcomes = recorder.insert_batch([append(ids[which], expected, count) for which, expected, count in batch])
            for (which, expected, count), outcome in zip(batch, outcomes, strict=True):
                if versions[ids[which]] == expected:
                    versions[ids[which]] += count
                    head += count
                    assert outcome == head
                else:
                    assert isinstance(outcome, VersionConflict)
        for its_id, version in versions.items():
            assert [event.originator_version for event in recorder.select_events(its_id)] == list(range(1, version + 1))
        assert (recorder.max_notification_id() or 0) == head
        recorder.close()

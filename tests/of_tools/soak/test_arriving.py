"""A slice of the soak of recordings that arrive while all is killed, and that it notices what it is there for."""

from random import Random

import pytest

from domain.events import LoggedEvent
from tests.domain.histories import chunk, finalized, opened, part_heard, stitched, transcribed
from tests.guides.shell import make
from tests.places import REPOSITORY
from tests.tools.soak.arriving.checks import heard_ahead, heard_twice, of_history
from tests.tools.soak.arriving.clients import Life
from tests.tools.soak.arriving.recordings import Arrival, Recorded, arrival

FILE = Recorded("file", "wav", Random(1).randbytes(2_000_000))


@pytest.mark.slow
def test_make_soak_arriving_does_as_few_as_it_is_told_to() -> None:
    done = make(REPOSITORY, "soak-arriving", "ARGS=--faults 2 --seed 3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("seed 3\n")
    assert done.stdout.splitlines()[-1].startswith("seed 3: nothing wrong; ")


def life() -> Life:
    return Life(FILE, Arrival({1: b"1", 2: b"2"}, ((1, b"1"), (2, b"2"))), {"id": "rec"})


def test_a_history_with_each_event_once_is_right() -> None:
    assert list(of_history(life(), [*whole(part_heard(1, 1), part_heard(2, 2))])) == []


def test_what_stands_twice_or_not_at_all_is_told() -> None:
    history = [*whole(part_heard(1, 1)), transcribed()]
    assert list(of_history(life(), history)) == ["Transcribed stands 2 times, not 1"]
    assert list(of_history(life(), history[:-2])) == ["Transcribed stands 0 times, not 1"]
    doubled = [*whole(part_heard(1, 1), part_heard(2, 2), part_heard(1, 1))]
    assert list(of_history(life(), doubled)) == ["part 1 was heard twice"]
    assert heard_ahead(doubled) == 3


def test_a_part_is_heard_anew_once_a_chunk_under_it_is_replaced() -> None:
    replaced = [opened(), chunk(1), part_heard(1, 1), chunk(1, b"other"), part_heard(1, 1)]
    assert heard_twice(replaced) == []
    later = [opened(), chunk(1), chunk(2), part_heard(1, 1), chunk(2, b"other"), part_heard(1, 1)]
    assert [part.number for part in heard_twice(later)] == [1]


@pytest.mark.parametrize("seed", range(20))
def test_the_last_that_comes_for_each_number_makes_up_the_file(seed: int) -> None:
    how = arrival(FILE, Random(seed))
    last = dict(how.puts)
    assert b"".join(last[number] for number in sorted(last)) == FILE.content
    assert last == how.bodies


def whole(*heard: LoggedEvent) -> list[LoggedEvent]:
    return [opened(), chunk(1), chunk(2), *heard, finalized(2), stitched(), transcribed()]

import os
import subprocess
import sys

import pytest

from domain.events import RECORDING_EVENT_TYPES
from tests.places import REPOSITORY
from tests.tools.simulation.__main__ import Totals
from tests.tools.simulation.faults import CHANCES
from tests.tools.simulation.run import simulate

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "240"))


@pytest.fixture(scope="module")
def totals():
    totals = Totals()
    for seed in range(SEEDS):
        totals.add(simulate(seed))
    return totals


@pytest.mark.slow
def test_every_run_ends_with_everything_as_it_must_be(totals):
    failed = [f"python -m tests.tools.simulation --seed {run.seed}: {run.violations[0]}" for run in totals.failed]
    assert failed == []


@pytest.mark.slow
def test_the_runs_meet_every_kind_of_fault_and_every_event(totals):
    assert set(totals.faults) == set(CHANCES)
    assert set(totals.event_types) == set(RECORDING_EVENT_TYPES)


@pytest.mark.slow
def test_the_runs_give_clients_every_answer_there_is(totals):
    refusals = {"ChunkMismatch", "AlreadyFinalized", "RecordingClosed", "RecordingExpired", "RecordingNotFound"}
    assert {"OK", "ConnectionLost", "LogFull", "StorageFull", "ChunkBeyondTotal"} | refusals <= set(totals.answers)


@pytest.mark.parametrize("seed", [3, 58, 126])
def test_a_seed_does_the_same_again_whatever_ran_before_it(seed):
    first = simulate(seed)
    simulate(seed + 1)
    again = simulate(seed)
    assert first.violations == []
    assert again.trace_hash == first.trace_hash
    assert again.lines == first.lines


@pytest.mark.slow
def test_a_seed_does_the_same_in_another_process_with_other_hashes():
    program = (
        "from tests.tools.simulation.run import simulate; print([simulate(seed).trace_hash for seed in range(40, 50)])"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert eval(outputs[0]) == [simulate(seed).trace_hash for seed in range(40, 50)]  # noqa: S307 - printed above


def test_different_seeds_do_different_things():
    assert len({simulate(seed).trace_hash for seed in range(10)}) == 10

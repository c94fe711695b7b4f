"""Places in the queue for live speech: no project takes another's."""

from contextlib import ExitStack

import pytest

from adapters.speech.opening import EngineSpec
from adapters.worker_processes import WorkerProcesses
from service.application.live_recognition import MOST_PROJECTS_AT_ONCE, LiveRecognition, TooMuchWaiting
from service.application.turns import Turns

ENGINE = EngineSpec(kind="openai", model="m", base_url="http://127.0.0.1:1", api_key=None)


@pytest.fixture
async def recognition(tmp_path):
    turns, workers = Turns(1), WorkerProcesses(1)
    yield LiveRecognition(
        turns, workers, worker_count=1, most_waiting=2, blob_store_url=f"file://{tmp_path}", engine=ENGINE
    )
    await workers.close()


async def test_a_project_that_fills_its_places_is_sent_away_and_others_are_not(recognition):
    with ExitStack() as inside:
        for _ in range(3):
            inside.enter_context(recognition.place("hostile"))
        with pytest.raises(TooMuchWaiting):
            inside.enter_context(recognition.place("hostile"))
        inside.enter_context(recognition.place("honest"))
    with recognition.place("hostile"):
        pass


async def test_when_some_projects_fill_the_queue_each_other_one_has_a_place_still(recognition):
    with ExitStack() as inside:
        for number in range(3 * MOST_PROJECTS_AT_ONCE):
            inside.enter_context(recognition.place(f"hostile {number % MOST_PROJECTS_AT_ONCE}"))
        for honest in ("honest", "honest too"):
            inside.enter_context(recognition.place(honest))
            with pytest.raises(TooMuchWaiting) as caught:
                inside.enter_context(recognition.place(honest))
            assert caught.value.retry_after_seconds >= 1


async def test_nothing_is_remembered_of_a_project_that_has_left(recognition):
    with recognition.place("gone"):
        pass
    assert not recognition._inside

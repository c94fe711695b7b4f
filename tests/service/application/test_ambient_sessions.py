import asyncio
import threading
from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.ambient_session import AmbientSessionNotFound, AnnounceSession, EndSession
from domain.errors import RecordingNotFound
from service.application.ambient_sessions import AmbientSessions
from service.application.recordings import Recordings
from tests.domain.histories import START, session_opened


@pytest.fixture
async def log(tmp_path):
    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    yield log
    await log.close()


def announce(user="dr-1"):
    facts = session_opened().model_dump(exclude={"at"}) | {"external_user_id": user}
    return AnnounceSession(at=START, **facts)


async def types(log, its_id):
    return [type(recorded.event).__name__ for recorded in await log.history(its_id)]


async def test_fifteen_announcements_at_once_open_one_session(log):
    sessions, its_id = AmbientSessions(log), uuid4()
    announced = await asyncio.gather(*(sessions.execute(its_id, announce()) for _ in range(15)))
    assert len(set(announced)) == 1
    assert await types(log, its_id) == ["AmbientSessionOpened"]


async def test_a_session_is_there_for_another_process_and_after_a_restart(log, tmp_path):
    its_id = uuid4()
    other_log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    one, other = AmbientSessions(log), AmbientSessions(other_log)
    with pytest.raises(AmbientSessionNotFound):
        await other.find(its_id)
    session = await one.execute(its_id, announce())
    assert await other.find(its_id) == session
    await other.execute(its_id, EndSession(at=START))
    reopened = await one.execute(its_id, announce("dr-2"))
    assert await other.find(its_id) == reopened
    assert await types(log, its_id) == ["AmbientSessionOpened", "AmbientSessionEnded", "AmbientSessionOpened"]
    await other_log.close()


async def test_sessions_used_least_recently_are_let_go_and_come_back_from_the_log(log):
    sessions = AmbientSessions(log, remembered=3)
    ids = [uuid4() for _ in range(9)]
    for its_id in ids:
        await sessions.execute(its_id, announce())
    assert len(sessions._streams._hot) == 3
    for its_id in ids:
        assert (await sessions.find(its_id)).external_user_id == "dr-1"


async def test_the_id_of_a_session_is_that_of_no_recording(log):
    its_id = uuid4()
    await AmbientSessions(log).execute(its_id, announce())
    with pytest.raises(RecordingNotFound):
        await Recordings(log).find(its_id)


async def test_a_session_that_is_being_ended_is_not_forgotten_by_those_who_ask_meanwhile(tmp_path):
    """What is read from the log before the end is committed must not be taken for what is true after it."""
    recorder = SQLiteLogRecorder(tmp_path / "log.sqlite3")
    log, goes_on = EventLog(recorder), threading.Event()
    sessions, session_id = AmbientSessions(log), uuid4()
    await sessions.execute(session_id, announce())
    insert_batch = recorder.insert_batch

    def slowly(appends):
        goes_on.wait(60)
        return insert_batch(appends)

    recorder.insert_batch = slowly
    ending = asyncio.create_task(sessions.execute(session_id, EndSession(at=START)))
    await asyncio.sleep(0)
    asked = asyncio.create_task(sessions.find(session_id))
    await asyncio.wait([asked], timeout=0.2)
    goes_on.set()
    assert (await ending).has_ended
    assert (await asked).has_ended
    assert (await sessions.find(session_id)).has_ended
    await log.close()

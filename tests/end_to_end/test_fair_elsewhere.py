"""Fair turns over several machines: one project's many recordings do not hold up another project's one.

The speech engine answers only while every machine asks it, so that none gets ahead of the others. What is asserted is
the order in which it was asked.
"""

import asyncio

import pytest

from adapters.keys import KeyKind
from domain.events import Transcribed
from tests.end_to_end.profile import key_store_of
from tests.end_to_end.publisher_process import log_of
from tests.end_to_end.service_process import ServiceProcess
from tests.end_to_end.worker_process import WorkerProcess
from tests.tools.soak.cluster.speech import Engine, Recorded, tokens_in

MACHINES = 3
"""The service, and two that work for it."""

MANY = [Recorded(number, (4_000, 4_000)) for number in range(30)]
ONE = Recorded(len(MANY), (4_000, 4_000))


class HeldEngine(Engine):
    """`asked`: the recordings, in order. It answers when it is told."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self._held = []
        self._is_open = False
        self._changed = asyncio.Event()

    async def _transcribe(self, request):
        form = await request.post()
        (token,) = tokens_in(form["file"].file.read())
        self.asked.append(token)
        if not self._is_open:
            await self._held_back()
        return await super()._transcribe(request)

    async def _held_back(self):
        held = asyncio.Event()
        self._held.append(held)
        self._changed.set()
        try:
            await held.wait()
        finally:
            if held in self._held:  # who asked has gone
                self._held.remove(held)

    async def until_asked_by(self, count):
        """Return when so many wait for an answer at once."""
        while len(self._held) < count:
            self._changed.clear()
            await self._changed.wait()

    def answer_first(self):
        self._held.pop(0).set()

    def answer_all(self):
        """From now on, at once."""
        self._is_open = True
        while self._held:
            self.answer_first()


@pytest.fixture
async def engine():
    engine = await HeldEngine().start()
    yield engine
    engine.answer_all()
    await engine.stop()


@pytest.fixture
def service(tmp_path, database, own_s3, s3_credentials, engine):
    settings = {
        "BLOB_URL": f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}",
        "DATABASE_URL": database,
        "TRANSCRIBER": "openai",
        "TRANSCRIBER_URL": engine.url,
        "TRANSCRIBER_MODEL": "any",
        "WORKERS": "1",
    }
    service = ServiceProcess(tmp_path / "data", settings)
    yield service
    service.kill()


@pytest.fixture
def elsewhere(tmp_path, service):
    workers = [WorkerProcess(tmp_path / f"elsewhere-{number}", service) for number in range(MACHINES - 1)]
    yield workers
    for worker in workers:
        worker.kill()


async def finalized(api, recorded):
    recording = await api.upload(recorded.bodies())
    assert (await api.finalize(recording, len(recorded.sizes))).status == 200
    return recording


def api_of_another_project(service):
    keys = key_store_of(service)
    token = keys.create(KeyKind.SECRET, project_id="proj_another").token
    keys.close()
    return service.api(token)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_a_recording_does_not_wait_for_those_of_another_project_that_take_all_machines(
    service, elsewhere, engine
):
    api = (await service.start()).api()
    for worker in elsewhere:
        await worker.start()
    many = [await finalized(api, recorded) for recorded in MANY]
    await engine.until_asked_by(MACHINES)

    another = api_of_another_project(service)
    one = await finalized(another, ONE)
    answered = 0
    while ONE.token not in engine.asked:
        await engine.until_asked_by(min(MACHINES, len(MANY) + 1 - answered))
        engine.answer_first()
        answered += 1
    assert engine.asked.index(ONE.token) < len(MANY) / 2
    engine.answer_all()
    await another.ended(one)
    for recording in many:
        await api.ended(recording)
    transcribed = [each.stream_id for each in log_of(service.log_url) if isinstance(each.event, Transcribed)]
    assert len(transcribed) == len(set(transcribed)) == len(MANY) + 1
    for worker in elsewhere:
        assert 'tapedeck_stage_attempts_total{outcome="done",stage="transcribe"} ' in await worker.asked("/metrics")

"""The previous release and this one side by side, on one database, bucket and Kafka, under load."""

import asyncio
import os
import shutil
import subprocess
import sys

import pytest

from adapters.database.presence import RELEASE_GROUP
from tests.domain.corpus import FOLDER
from tests.end_to_end.host_process import HostProcess, api_of_a_project
from tests.end_to_end.publisher_process import PublisherProcess
from tests.end_to_end.service_process import START_SECONDS, ServiceProcess, short_speech, slices
from tests.end_to_end.worker_process import WorkerProcess
from tests.places import REPOSITORY
from tests.tools.free_ports import free_port
from tests.tools.previous_release import NoHistory, code_of, previous_release

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

ITS_RELEASE_GROUP = """
try:
    from adapters.database.presence import RELEASE_GROUP
except ModuleNotFoundError:  # before 0.2.0
    RELEASE_GROUP = 1
print(RELEASE_GROUP)
"""
NOT_COMPATIBLE = "cannot start: A process on this database runs a release that is not compatible with this one; stop"
READS = "test_what_was_stored_once_is_read_today"
HINT = """The previous release cannot read an event of this one, so the two are not compatible: raise RELEASE_GROUP in
adapters/database/presence.py, or let one release read the event's new version before another one writes it."""
ROOMS = ("adapters", "domain", "service")


@pytest.fixture(scope="module")
def previous(tmp_path_factory):
    """The code of the previous release."""
    try:
        return code_of(previous_release(), tmp_path_factory.mktemp("previous") / "code")
    except NoHistory as error:
        pytest.skip(str(error))


@pytest.fixture
def compatible(previous):
    """The same, if it is compatible with this release."""
    if release_group_of(previous) != RELEASE_GROUP:
        pytest.skip("The previous release is not compatible with this one: their hosts do not run side by side.")
    return previous


def ran_by(code, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(code)}
    return subprocess.run(
        [sys.executable, *arguments], check=False, cwd=code, env=environment, capture_output=True, text=True
    )


def release_group_of(code):
    ran = ran_by(code, "-c", ITS_RELEASE_GROUP)
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


@pytest.mark.usefixtures("kafka", "s3", "postgres", "compatible")  # where a server cannot run, this is left out
def test_while_all_is_upgraded_and_some_of_it_rolled_back_one_by_one_nothing_is_lost_and_no_answer_is_wrong():
    """Kafka and the webhooks tell what the log does, too."""
    arguments = ["--upgrade", "--faults", "0", "--hosts", "2", "--clients", "4", "--seed", "7"]
    ran = ran_by(REPOSITORY, "-m", "tests.tools.soak.cluster", *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("seed 7: nothing wrong; ")
    assert "the previous release led beside this release\n" in ran.stdout
    assert "this release led beside the previous release\n" in ran.stdout


def test_the_previous_release_reads_every_event_of_this_one_if_the_two_are_compatible(compatible):
    """By its own test, over this release's corpus."""
    its_corpus = compatible / FOLDER.relative_to(REPOSITORY)
    for rows in FOLDER.glob("*.jsonl"):
        shutil.copy(rows, its_corpus / rows.name)
    read = ran_by(compatible, "-m", "pytest", "-q", "-n", "0", "-k", READS, "tests/domain/test_corpus.py")
    assert read.returncode == 0, f"{HINT}\n{read.stdout}{read.stderr}"


@pytest.fixture
def other_group(tmp_path):
    """The code of a release that is not compatible with this one."""
    folder = tmp_path / "code"
    for room in ROOMS:
        shutil.copytree(REPOSITORY / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    changed = folder / "adapters/database/presence.py"
    changed.write_text(changed.read_text().replace("RELEASE_GROUP = 1\n", "RELEASE_GROUP = 9\n"))
    assert release_group_of(folder) == 9
    return folder


async def test_a_host_of_a_release_that_is_not_compatible_starts_once_all_others_have_stopped(
    tmp_path, database, own_s3, s3_credentials, other_group
):
    stores = {"DATABASE_URL": database, "BLOB_URL": f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}"}
    one, other, newer = hosts = [HostProcess(tmp_path / f"host-{number}", stores) for number in range(3)]
    newer.code_dir = other_group
    try:
        await one.start()
        for host in (other, newer):
            host.take_secrets_of(one)
        await other.start()
        recording = await (await api_of_a_project(one)).upload(slices(short_speech(), 3))
        await is_refused(newer)
        assert one.stop() == 0
        await is_refused(newer)
        assert other.stop() == 0
        api = await api_of_a_project(await newer.start())
        assert (await api.get(recording, ""))["id"] == recording["id"]
    finally:
        for host in hosts:
            host.kill()


async def test_neither_does_a_worker_or_publisher_and_each_of_them_keeps_off_a_service_that_is_not_compatible(
    tmp_path, database, own_s3, s3_credentials, other_group
):
    """No Kafka is needed for that."""
    stores = {"DATABASE_URL": database, "BLOB_URL": f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}"}
    service, newer = (ServiceProcess(tmp_path / name, stores) for name in ("service", "newer"))
    workers = worker, newer_worker = [WorkerProcess(tmp_path / f"worker-{number}", service) for number in (1, 2)]
    publishers = publisher, newer_publisher = [
        PublisherProcess(tmp_path / f"publisher-{number}", f"127.0.0.1:{free_port()}", "recordings", **stores)
        for number in (1, 2)
    ]
    newer.code_dir = newer_worker.code_dir = newer_publisher.code_dir = other_group
    try:
        await service.start()
        with pytest.raises(AssertionError, match=f"The worker {NOT_COMPATIBLE}"):
            await newer_worker.start()
        assert newer_worker.stop() == 1
        newer_publisher.start()
        assert newer_publisher.process.wait(START_SECONDS) == 1
        assert f"The publisher {NOT_COMPATIBLE}" in newer_publisher.log_file.read_text()
        await is_refused(newer)
        assert service.stop() == 0
        await worker.start()
        await is_refused(newer)
        worker.kill()
        publisher.start()
        async with asyncio.timeout(START_SECONDS):
            while not publisher.said("publishing waits"):
                await asyncio.sleep(0.02)
        await is_refused(newer)
        publisher.kill()
        await newer.start()
        await newer_worker.start()
    finally:
        for process in (service, newer, *workers, *publishers):
            process.kill()


async def is_refused(service):
    with pytest.raises(AssertionError, match=f"The service {NOT_COMPATIBLE}"):
        await service.start()
    assert service.stop() == 1
    service.log_file.unlink()

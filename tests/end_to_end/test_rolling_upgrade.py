"""The release before and this one side by side, on one database, bucket and Kafka, under load."""

import shutil
import subprocess
import sys

import pytest

from adapters.database.leadership import TOGETHER
from tests.domain.corpus import FOLDER
from tests.places import REPOSITORY
from tests.tools.release_before import NoHistory, code_of, release_before
from tests.tools.soak.cluster.soak import Soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


@pytest.fixture
def before(tmp_path):
    """The code of the release before."""
    try:
        return code_of(release_before(), tmp_path / "before")
    except NoHistory as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("kafka", "s3", "postgres")  # which are not used: where one cannot run, this is left out
async def test_hosts_workers_and_publishers_are_upgraded_and_rolled_back_one_by_one_and_nothing_is_wrong(
    before, tmp_path
):
    """Nothing acknowledged is lost, no answer is wrong, and Kafka and the webhooks tell what the log does."""
    soak = Soak(tmp_path / "cluster", faults=0, seed=7, hosts=2, before=before, tell=print)
    found = await soak.run(clients=4)
    assert found.wrong == []
    assert found.beside == {(leads, stands_by) for leads in ("before", "this") for stands_by in ("before", "this")}
    assert found.recordings > 4


TOGETHER_BEFORE = "from adapters.database import leadership; print(getattr(leadership, 'TOGETHER', 1))"
READS = "test_what_was_stored_once_is_read_today"
HINT = """The release before cannot read an event of this one, so their hosts cannot run side by side: raise TOGETHER in
adapters/database/leadership.py, or let one release read the event's new version before another one writes it."""


def ran_by(before, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=before,
        env={"PYTHONPATH": str(before)},
        capture_output=True,
        text=True,
    )


def test_the_release_before_reads_every_event_of_this_one_or_its_hosts_do_not_run_beside_this_ones(before):
    """By its own test, over this release's corpus."""
    its_corpus = before / FOLDER.relative_to(REPOSITORY)
    for rows in FOLDER.glob("*.jsonl"):
        shutil.copy(rows, its_corpus / rows.name)
    together = ran_by(before, "-c", TOGETHER_BEFORE)
    assert together.returncode == 0, together.stderr
    read = ran_by(before, "-m", "pytest", "-q", "-n", "0", "-k", READS, "tests/domain/test_corpus.py")
    assert read.returncode in (0, 1), read.stdout + read.stderr
    if int(together.stdout) == TOGETHER:
        assert read.returncode == 0, f"{HINT}\n{read.stdout}"

"""The blob store of a worker process."""

import pytest

from adapters.blobs.index_file import IndexFile
from service.application.worker_store import open_ahead, store_at


@pytest.mark.parametrize("scheme", ["segments", "file"])
def test_a_store_opened_ahead_is_the_one_that_jobs_use(tmp_path, scheme):
    open_ahead(url := f"{scheme}://{tmp_path}")
    stored = store_at(url).put_bytes("made/", b"bytes")
    with store_at(url).open(stored.key) as blob:
        assert blob.read() == b"bytes"


def test_no_job_locks_the_index_of_a_store_that_was_opened_ahead(tmp_path, monkeypatch):
    open_ahead(url := f"segments://{tmp_path}")
    stored = store_at(url).put_bytes("made/", b"bytes")
    monkeypatch.setattr(IndexFile, "_connect", lambda _: pytest.fail("a job opened the index"))
    with store_at(url).open(stored.key) as blob:
        assert blob.read() == b"bytes"


def test_a_store_that_cannot_be_read_yet_is_left_to_the_first_job(tmp_path):
    (tmp_path / ".segments" / "index.sqlite3").mkdir(parents=True)
    open_ahead(f"segments://{tmp_path}")

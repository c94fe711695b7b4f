"""A recordings API in memory for the client's and the command line's tests."""

from collections.abc import Iterator

import pytest

from tests.service.recordings_server import RecordingsServer


@pytest.fixture
def server() -> Iterator[RecordingsServer]:
    """A started server; its faults and its failures are the test's to order."""
    started = RecordingsServer()
    started.start()
    yield started
    started.close()

"""The broker that the tests set up."""

from base64 import urlsafe_b64encode
from uuid import UUID

import pytest

from tests.conftest import open_broker
from tests.tools.kafka import broker


@pytest.mark.slow
def test_a_cluster_whose_id_looks_like_an_option_can_be_set_up(monkeypatch, tmp_path_factory):
    looks_like_an_option = UUID(bytes=b"\xf8" * 16)
    assert urlsafe_b64encode(looks_like_an_option.bytes).startswith(b"-")
    monkeypatch.setattr(broker, "uuid4", lambda: looks_like_an_option)
    assert not open_broker(tmp_path_factory).is_running

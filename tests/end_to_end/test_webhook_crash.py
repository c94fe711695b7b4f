"""The bounded form of `make soak-webhooks`."""

import pytest

from tests.tools.soak.webhooks import DEAD, ENDPOINTS, deliver


@pytest.mark.slow
async def test_killed_in_the_middle_and_with_two_dead_endpoints_the_others_get_every_delivery(tmp_path):
    outcome = await deliver(tmp_path / "data", recordings=40)
    assert outcome.received == 40 * (ENDPOINTS - DEAD)
    assert outcome.seconds_behind < 25  # a dead endpoint is given 30 for its answer, and tried again after 60

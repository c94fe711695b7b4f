"""Rate limits: every answer says how the caller stands, and who asks too much is told when to come again."""

import pytest

from adapters.keys import KeyKind
from service.dialects.http.rates import CALLERS_KEPT, NO_LIMIT, Rates
from tests.service.running_service import TurnedClock, running_service


@pytest.fixture
def clock():
    return TurnedClock()


async def test_every_answer_says_how_the_caller_stands_also_where_nothing_is_limited(tmp_path, clock):
    async with running_service(tmp_path / "data", clock) as service:
        recording = await service.api.create()
        answers = [
            await service.api.call("GET", "/v1/recordings"),
            await service.api.call("GET", "/v1/recordings/rec_0"),
            await service.api.call("GET", "/v1/recordings", key=False),
            await service.api.call("GET", "/v1/nothing"),
            await service.api.call("GET", "/health"),
            await service.api.put(recording, 1, b"bytes"),
            await service.api.put(recording, 0, b"bytes"),
        ]
    assert [answer.status for answer in answers] == [200, 404, 401, 404, 200, 200, 400]
    for answer in answers:
        assert answer.headers["X-RateLimit-Limit"] == answer.headers["X-RateLimit-Remaining"] == str(NO_LIMIT)
        assert 0 < int(answer.headers["X-RateLimit-Reset"]) - clock.now.timestamp() <= 60


async def test_who_asks_too_much_is_refused_until_the_minute_is_over_and_nobody_else_is(tmp_path, clock):
    async with running_service(tmp_path / "data", clock, requests_per_minute=3) as service:
        clock.now = clock.now.replace(second=10)
        project_id = service.stores.keys.list_keys()[0].project_id
        other = type(service.api)(
            service.api.url, service.stores.keys.create(KeyKind.SECRET, project_id=project_id).token, "eu_1"
        )
        answers = [await service.api.call("GET", "/v1/recordings") for _ in range(5)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
        assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
        refused = answers[-1]
        assert refused.error["type"] == refused.error["code"] == "rate_limit_exceeded"
        assert (await other.call("GET", "/v1/recordings")).status == 200
        without_a_key = [(await other.call("GET", "/v1/recordings", key=False)).status for _ in range(4)]
        assert without_a_key == [401, 401, 401, 429]
        assert (await other.call("GET", "/health", key=False)).status == 200
        service.turn(seconds=50)
        again = await service.api.call("GET", "/v1/recordings")
        assert (again.status, again.headers["X-RateLimit-Remaining"]) == (200, "2")


def test_counting_callers_does_not_fill_the_memory(clock):
    rates = Rates(1, clock)
    for number in range(CALLERS_KEPT + 10):
        rates.count(f"caller {number}")
    assert rates.count("caller 0").is_exceeded is False
    assert rates.count(f"caller {CALLERS_KEPT}").is_exceeded is True

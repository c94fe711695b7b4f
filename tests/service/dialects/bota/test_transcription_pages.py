"""Lists of transcriptions are no larger than clients take."""

from adapters.keys import KeyKind
from tests.end_to_end.service_process import Api
from tests.service.dialects.bota.spoken import Spoken
from tests.service.running_service import TurnedClock, running_service


async def test_a_page_of_long_transcriptions_ends_before_clients_would_refuse_it(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        spoken = Spoken(running.stores, "proj_long")
        token = running.stores.keys.create(KeyKind.SECRET, project_id="proj_long").token
        api = Api(running.settings.base_url, token, "eu_1")
        ids = {f"rec_{(await spoken.recording(*['so it went on ' * 600] * 15)).hex}" for _ in range(7)}
        seen, query = [], "?limit=5"
        while query is not None:
            answer = await api.call("GET", f"/v1/transcriptions{query}")
            assert answer.status == 200
            assert len(answer.body) < 1_048_576
            seen += [each["recording_id"] for each in answer.json["data"]]
            query = f"?limit=5&cursor={answer.json['next_cursor']}" if answer.json["has_more"] else None
        assert (len(seen), set(seen)) == (7, ids)

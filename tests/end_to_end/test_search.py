"""What was said is found by its words, by those whose recording it is, until it is deleted."""

from secrets import token_hex

from tests.end_to_end.service_process import Api, short_speech, slices


async def found(api, query, end_user_id, **among):
    asked = {"query": query, "end_user_id": end_user_id} | among
    answer = await api.call("POST", "/v1/recordings/search", body=asked)
    assert answer.status == 200, answer
    return [one["recording_id"] for one in answer.json["results"]]


async def test_a_recording_is_found_by_its_words_in_its_own_project_until_it_is_deleted(service, new_key):
    mine, others = (new_key("secret", project_id=f"proj_{token_hex(8)}") for _ in range(2))
    api, foreign = Api(service.url, mine, "eu_searched"), service.api(others)
    recording = await api.upload(slices(short_speech(), 3))
    assert (await api.finalize(recording, 3)).status == 200
    text = (await api.transcript(recording))["text"]
    some_words = " ".join(text.upper().split()[1:3])
    assert await found(api, some_words, "eu_searched") == [recording["id"]]
    assert await found(api, some_words, "eu_searched", recording_ids=[recording["id"]]) == [recording["id"]]
    assert await found(api, some_words, "eu_other") == []
    assert await found(foreign, some_words, "eu_searched") == []
    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    assert await found(api, some_words, "eu_searched") == []

"""A key that another process revokes is refused from then on, and so is all that was made with it."""

from secrets import token_hex

from adapters.keys import KeyKind
from tests.end_to_end.profile import key_store_of


async def test_a_key_that_is_revoked_beside_the_service_ends_its_upload_url_at_once(service):
    keys = key_store_of(service)
    made, other = (keys.create(KeyKind.SECRET, project_id="proj_" + token_hex(8)) for _ in range(2))
    api = service.api(made.token)
    recording, untouched = await api.create(), await service.api(other.token).create()
    assert [(await api.put(each, 1, b"1")).status for each in (recording, untouched)] == [200, 200]
    keys.revoke(made.key.id)
    keys.close()
    assert [(await api.put(each, 2, b"2")).status for each in (recording, untouched)] == [403, 200]
    assert (await api.call("GET", f"/v1/recordings/{recording['id']}")).status == 401

"""Whom Dragon's API trusts, while it runs: the allow list changes, issuers are down, keys rotate."""

import asyncio

import pytest

from tests.adapters.tokens.issuer import PRODUCT, RsaKey
from tests.end_to_end.dragon_client import error_of
from tests.end_to_end.trusted_service import trusting


async def test_a_changed_allow_list_is_in_force_at_once_and_a_mistake_leaves_the_old_one(trusted):
    stranger = trusted.dragon(azp="newcomer")
    assert (await stranger.announce()).status == 401
    before = trusted.allow_list.read_text()
    try:
        trusted.allow_list.write_text(trusted.issuer.allow_list(id="newcomer"))
        assert (await stranger.announce()).status == 200
        assert (await trusted.dragon().announce()).status == 401
        trusted.allow_list.write_text(before.replace(PRODUCT, "not-a-uuid"))
        assert (await stranger.announce()).status == 200
        refusals = [line for line in trusted.service.log_lines() if line["message"].startswith("allow list refused")]
        assert "line 8: products:" in refusals[-1]["because"]
    finally:
        trusted.allow_list.write_text(before)
    assert (await trusted.dragon().announce()).status == 200


@pytest.mark.parametrize(("content", "said"), [("[[issuers]]\nissuer = 7\n", "line "), (None, "cannot be read")])
@pytest.mark.slow
async def test_a_service_with_no_usable_allow_list_does_not_start(tmp_path, content, said):
    with trusting(tmp_path) as trusted:
        if content is None:
            trusted.allow_list.unlink()
        else:
            trusted.allow_list.write_text(content)
        with pytest.raises(AssertionError, match="the service ended") as ended:
            await trusted.service.start()
    assert said in str(ended.value)
    assert "Traceback" not in str(ended.value)


async def test_a_failure_inside_is_a_500_that_clients_try_again(trusted):
    """An issuer that cannot be reached, and whose keys are not known: nobody can say whether the token is good."""
    lost = trusted.issuer.allow_list().replace(trusted.issuer.url, "http://127.0.0.1:9")
    before = trusted.allow_list.read_text()
    trusted.allow_list.write_text(lost)
    try:
        dragon = trusted.dragon(iss="http://127.0.0.1:9")
        error = await error_of(dragon.announce(), 500)
        assert error == "The token's issuer cannot be reached to verify the token; try again."
    finally:
        trusted.allow_list.write_text(before)


@pytest.mark.slow
async def test_keys_rotate_while_sixteen_clients_upload_and_no_request_fails(trusted):
    """Eight rotations; each client gets a new token at its next chunk, while older ones are still under way."""
    statuses: list[int] = []
    rotated = 0

    async def upload(client: int) -> None:
        dragon = trusted.dragon()
        statuses.append((await dragon.announce()).status)
        for number in range(1, 25):
            dragon.token = trusted.issuer.token()
            statuses.append((await dragon.store(number, b"client %d chunk %d" % (client, number))).status)

    async def rotate() -> None:
        nonlocal rotated
        for number in range(1, 9):
            after = number * 40
            while len(statuses) < after:
                await asyncio.sleep(0.005)
            key = RsaKey(f"rotated {number}", index=number % 3)
            trusted.issuer.keys = [*trusted.issuer.keys[-1:], key]  # the one before stays for tokens under way
            trusted.issuer.key = key
            rotated = number

    await asyncio.gather(rotate(), *(upload(client) for client in range(16)))
    assert rotated == 8
    assert len(statuses) == 16 * 25
    assert set(statuses) == {200}

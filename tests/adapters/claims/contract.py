"""What all `Claims` promise."""

import asyncio

import pytest

JOB, OTHER_JOB = "stitch 1", "stitch 2"


class ClaimsContract:
    """A subclass has a fixture `claims`."""

    async def test_a_job_is_claimed_once_until_its_claim_is_left(self, claims):
        async with claims.claim(JOB) as one, claims.claim(JOB) as another, claims.claim(OTHER_JOB) as of_another_job:
            assert await one.take()
            assert await one.take()
            assert not await another.take()
            assert await of_another_job.take()
            await one.leave()
            assert await another.take()
            assert not await one.take()

    async def test_a_claim_ends_with_its_block(self, claims):
        for _ in range(3):
            async with claims.claim(JOB) as claim:
                assert await claim.take()

    async def test_a_claim_ends_with_a_block_that_raises(self, claims):
        async def break_off():
            async with claims.claim(JOB) as claim:
                await claim.take()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await break_off()
        async with claims.claim(JOB) as claim:
            assert await claim.take()

    async def test_a_block_in_which_nothing_was_claimed_frees_nothing(self, claims):
        async with claims.claim(JOB) as claim:
            await claim.take()
            async with claims.claim(JOB) as another:
                await another.take()
            async with claims.claim(JOB) as another:
                assert not await another.take()

    async def test_a_claim_that_is_cancelled_at_any_step_is_free(self, claims):
        async def hold():
            async with claims.claim(JOB) as claim:
                await claim.take()
                await asyncio.Event().wait()

        for steps in range(12):
            holding = asyncio.create_task(hold())
            for _ in range(steps):
                await asyncio.sleep(0)
            holding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await holding
            async with asyncio.timeout(60), claims.claim(JOB) as claim:
                while not await claim.take():
                    await asyncio.sleep(0)

    async def test_who_waits_for_jobs_returns_when_all_are_free(self, claims):
        await claims.until_free([])
        await claims.until_free([JOB, OTHER_JOB])
        async with claims.claim(JOB) as one, claims.claim(OTHER_JOB) as other:
            assert await one.take()
            assert await other.take()
            waiting = asyncio.create_task(claims.until_free([JOB, OTHER_JOB]))
            await one.leave()
            async with claims.claim("stitch 3") as another:
                await another.take()
            assert not waiting.done()
            await other.leave()
            async with asyncio.timeout(60):
                await waiting

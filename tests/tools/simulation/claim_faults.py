"""Faults of claims, and of what is done under them."""

from tests.tools.simulation.planted_fault import Fault

CLAIM_FAULTS = (
    Fault(
        "a job is done without its claim",
        "service/followers/stage_follower.py",
        "                if await claim.take():",
        "                if await claim.take() or True:",
    ),
    Fault(
        "work goes on though its claim is lost",
        "adapters/claims/held.py",
        "            self._task.cancel()",
        "            pass",
    ),
    Fault(
        "a claim ends before the result is in the log",
        "service/followers/stage_follower.py",
        "            command = await self._attempt(recorded, due, claim)\n",
        "            command = await self._attempt(recorded, due, claim)\n            await claim.leave()\n",
    ),
    Fault(
        "what was done before it was claimed is done again",
        "service/followers/stage_follower.py",
        "            recording = await self._recordings.newest(recording_id)",
        "            recording = await self._recordings.find(recording_id)",
    ),
    Fault(
        "the bytes of a deleted recording are erased while another process works on it",
        "service/followers/deletion.py",
        "        await self._claims.until_free(jobs_on(recording_id))\n",
        "",
    ),
)

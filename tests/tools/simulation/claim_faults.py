"""Faults of claims and of the locks of blobs, and of what is done under them."""

from tests.tools.simulation.planted_fault import Fault

_LOCK = "                    await settling.enter_async_context(self._settling.of(key))\n"
_LOCKED = "            async with AsyncExitStack() as settling:\n                for key in some:\n" + _LOCK
_IN_USE = "            in_use = (await self._recordings.newest(recording_id)).blobs_in_use()\n"

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
    Fault(
        "superseded bytes are erased without their locks, while they are sent again",
        "service/application/erasing.py",
        _LOCK,
        "                    pass\n",
    ),
    Fault(
        "whether superseded bytes are in use again is looked up before their locks are held",
        "service/application/erasing.py",
        _LOCKED + "    " + _IN_USE,
        _IN_USE + _LOCKED,
    ),
)

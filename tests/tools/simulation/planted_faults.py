"""Proves that the tests would notice: plants one fault at a time in a copy of the code and runs the tests on it.

A copy without a fault comes first: tests that fail there would fail on every copy.

`python -m tests.tools.simulation.planted_faults [word ...]` plants all faults, or those with one of the words in their
name.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.places import REPOSITORY
from tests.tools.s3.programs import FOLDER
from tests.tools.simulation.claim_faults import CLAIM_FAULTS
from tests.tools.simulation.log_faults import LOG_FAULTS
from tests.tools.simulation.planted_fault import Fault
from tests.tools.simulation.store_faults import STORE_FAULTS

COPIED = ("domain", "adapters", "service", "schemas", "tests", "pyproject.toml", "README.md")
SEEDS = 600


FAULTS = (
    Fault(
        "stitched once the highest number is there, whatever is missing below",
        "domain/recording.py",
        "return len(self.chunks) == total_chunks and self.chunks.highest == total_chunks",
        "return self.chunks.highest == total_chunks",
    ),
    Fault(
        "finalize answered from the current state",
        "domain/recording.py",
        "        recording.finalized,\n        recording.stitched,",
        "        recording.finalized\n"
        '        and recording.finalized.model_copy(update={"chunks_received": len(recording.chunks) + 1}),\n'
        "        recording.stitched,",
    ),
    Fault(
        "late bytes taken after the recording is complete",
        "domain/life.py",
        "_KEEP_CHUNK = Rule(\n    do.keep_chunk,",
        "_KEEP_CHUNK = Rule(\n    do.store_chunk,",
    ),
    Fault(
        "a complete recording expires",
        "domain/life.py",
        "_STAYS = Rule(do.leave_as_it_is,",
        "_STAYS = Rule(do.expire,",
    ),
    Fault(
        "retried from the first stage instead of the failed one",
        "domain/decisions.py",
        "stage = recording.failed.stage",
        "stage = Stage.STITCH",
    ),
    Fault(
        "what was made of a damaged chunk is taken for what is made of the one that replaced it",
        "domain/decisions.py",
        "        raise StageNotDue(command.stage)\n    return [command.event",
        "        pass\n    return [command.event",
    ),
    Fault(
        "the transcript of a damaged chunk outlives its replacement",
        "domain/recording.py",
        '{"stitched": None, "transcribed": None, "note": None, "edits": ChunkTable()}',
        '{"stitched": None}',
    ),
    Fault(
        "metadata replaces bytes",
        "domain/decisions.py",
        "    return command.blob_key is None or (stored.blob_key is not None and stored.sha256 == command.sha256)",
        "    return stored.blob_key == command.blob_key",
    ),
    Fault(
        "answered before the commit",
        "service/application/streams.py",
        "                await shared(hot.commit)\n",
        "                pass\n",
    ),
    Fault(
        "an answer without events does not wait for what it rests on",
        "service/application/streams.py",
        "                state = hot.state\n                await _settled(rests_on)",
        "                state = hot.state",
    ),
    Fault(
        "an answer without events is not checked against other processes",
        "service/application/streams.py",
        "                await self._check_newest(stream_id, hot, decided_at)\n            else",
        "                pass\n            else",
    ),
    Fault(
        "a conflict is not decided again",
        "service/application/streams.py",
        "                self._forget(stream_id, hot)\n            except self._aggregate.refusals",
        "                raise\n            except self._aggregate.refusals",
    ),
    Fault(
        "an append does not fall with the one it was decided on",
        "service/application/streams.py",
        "trace_id=trace_id, rests_on=rests_on, after=after\n",
        "trace_id=trace_id, after=after\n",
    ),
    Fault(
        "position saved before the work",
        "service/followers/jobs.py",
        "position = min(before_the_oldest, *unread, self._read_up_to)",
        "position = self._read_up_to",
    ),
    Fault(
        "position saved behind jobs that did not fit into memory",
        "service/followers/jobs.py",
        "position = min(before_the_oldest, *unread, self._read_up_to)",
        "position = min(before_the_oldest, self._read_up_to)",
    ),
    Fault(
        "jobs that did not fit into memory are not read again",
        "service/followers/jobs.py",
        "            queue.unread_after = recorded.position - 1",
        "            pass",
    ),
    Fault(
        "work goes on though its recording is deleted",
        "service/followers/jobs.py",
        "                job.task.cancel()",
        "                pass",
    ),
    Fault(
        "a job that stopped is passed over",
        "service/followers/jobs.py",
        "except Exception:  # a job given up",
        "except ZeroDivisionError:  # a job given up",
    ),
    Fault(
        "the last chunk is judged by an older state in memory",
        "service/application/streams.py",
        "hot is not None and hot.settled_version >= at_least",
        "hot is not None",
    ),
    Fault(
        "the last chunk is judged by what has yet to be committed",
        "service/application/streams.py",
        "hot.settled if hot is not None and hot.settled_version >= at_least",
        "hot.state if hot is not None and hot.version >= at_least",
    ),
    Fault(
        "what another process wrote is folded onto what has yet to be committed",
        "service/application/streams.py",
        "recorded.version != hot.version + 1 or not _is_committed(hot.commit)",
        "recorded.version != hot.version + 1",
    ),
    Fault(
        "what another process wrote is folded onto the state that a command is being checked with",
        "service/application/streams.py",
        "newest = self._hot[recorded.stream_id.int] = _Hot(state, recorded.version, state, recorded.version)",
        "hot.state, hot.version, newest = state, recorded.version, hot",
    ),
    Fault(
        "an event between two that other processes wrote is left out of what is in memory",
        "service/application/streams.py",
        "recorded.version != hot.version + 1 or",
        "recorded.version <= hot.version or",
    ),
    Fault(
        "the newest state is an older one that was being loaded",
        "service/application/streams.py",
        "            if hot.version < at_least:  # it",
        "            if False:  # it",
    ),
    Fault(
        "followers pass over what another process committed before this one",
        "adapters/event_log/recent.py",
        "if not self._events or events[0].position == self._events[-1].position + 1:",
        "if True:",
    ),
    Fault(
        "what a job stores for a recording deleted meanwhile stays",
        "service/followers/stage_follower.py",
        "            await self._on_gone(recorded.stream_id)",
        "            return",
    ),
    Fault(
        "the view takes events whatever position it stands at",
        "service/followers/projector.py",
        "self._store.apply, events, after=self.position)",
        "self._store.apply, events, after=self._store.position())",
    ),
    Fault(
        "the eraser passes over what was deleted while it was down",
        "service/followers/eraser.py",
        "self._log.follow(after=self._positions.load(self.name))",
        "self._log.follow(after=self._log.head)",
    ),
    Fault(
        "the expirer forgets what was open when it went down",
        "service/followers/expirer.py",
        "position = saved = self._positions.load(self.name)",
        "position = saved = self._log.head",
    ),
    Fault(
        "a file that has arrived expires, because nobody said that it is complete",
        "domain/decisions.py",
        "    if recording.finalized is None and recording.has_its_file:",
        "    if False:",
    ),
    Fault(
        "a file of which more was announced is completed by itself",
        "domain/recording.py",
        "file.blob_key is not None and file.has_expected_size",
        "file.blob_key is not None",
    ),
    Fault(
        "a file is refused its completion between the end of its time and the moment when that is noticed",
        "domain/decisions.py",
        "    if not (recording.has_its_file and command.total_chunks == 1):\n        _check",
        "    if True:\n        _check",
    ),
    *CLAIM_FAULTS,
    *LOG_FAULTS,
    *STORE_FAULTS,
)


@dataclass(frozen=True)
class Verdict:
    """What noticed the fault; None if nothing did."""

    fault: Fault
    simulation: str | None
    test: str | None


def main() -> int:
    """The exit code: 0 when every fault was noticed."""
    words = sys.argv[1:]
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    with tempfile.TemporaryDirectory() as directory:
        copy_to(Path(directory))
        complaint = None
        if any(fault.is_simulated for fault in chosen):
            complaint = _noticed_by_simulation(Path(directory))
        for tests in sorted({fault.tests for fault in chosen}):
            complaint = complaint or _noticed_by_tests(Path(directory), tests)
    if complaint:
        print(f"The tests already fail without a planted fault: {complaint}")
        return 1
    unnoticed = 0
    with ThreadPoolExecutor(2) as threads:
        for verdict in threads.map(try_out, chosen):
            unnoticed += verdict.simulation is None and verdict.test is None
            print(f"{verdict.fault.name} ({verdict.fault.path})")
            if verdict.fault.is_simulated:
                print(f"    simulation: {verdict.simulation or 'not noticed'}")
            print(f"    tests: {verdict.test or 'not noticed'}", flush=True)
    print(f"{len(chosen) - unnoticed} of {len(chosen)} planted faults were noticed")
    return 1 if unnoticed else 0


def try_out(fault: Fault) -> Verdict:
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        copy_to(copy)
        plant(fault, copy)
        simulation = _noticed_by_simulation(copy) if fault.is_simulated else None
        return Verdict(fault, simulation, _noticed_by_tests(copy, fault.tests))


def copy_to(directory: Path) -> None:
    """Copy what the tests need from the repository to `directory`, where they find the S3 server that is built once."""
    FOLDER.mkdir(exist_ok=True)
    (directory / FOLDER.name).symlink_to(FOLDER)
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, directory / name)


def plant(fault: Fault, copy: Path) -> None:
    """Raises: ValueError when the right text is no longer there, or more than once."""
    path = copy / fault.path
    text = path.read_text()
    if text.count(fault.right) != 1:
        raise ValueError(f"{fault.name}: {fault.path} holds the text to change {text.count(fault.right)} times")
    path.write_text(text.replace(fault.right, fault.wrong))


def _noticed_by_simulation(copy: Path) -> str | None:
    output = _run(copy, "-m", "tests.tools.simulation", "--until-failure")
    return next((line[:150] for line in output.splitlines() if line.startswith("seed ")), None)


def _noticed_by_tests(copy: Path, tests: tuple[str, ...]) -> str | None:
    output = _run(copy, "-m", "pytest", "-x", "-q", "--timeout", "300", "-p", "no:cacheprovider", *tests)
    failed = re.search(r"^(?:FAILED|ERROR) (tests/\S+)", output, re.MULTILINE)
    return failed and failed[1]


def _run(copy: Path, *arguments: str) -> str:
    """Run Python in the copy, whose code takes precedence over the installed one."""
    environment = os.environ | {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SIMULATION_SEEDS": str(SEEDS),
        "SIMULATION_PROCESSES": "1",
    }
    ended = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    return ended.stdout


if __name__ == "__main__":
    sys.exit(main())

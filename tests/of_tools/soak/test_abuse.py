"""A slice of the soak of honest clients beside hostile ones, and that it notices what it is there for."""

from typing import Any

import pytest

from tests.guides.shell import make
from tests.places import REPOSITORY
from tests.tools.soak.abuse.findings import ENOUGH, Bounds, Findings, Group
from tests.tools.soak.abuse.honest import Honest
from tests.tools.soak.abuse.naming import answer_name, end_name
from tests.tools.soak.abuse.tally import Tally
from tests.tools.soak.abuse.watching import Taken


@pytest.mark.slow
def test_make_soak_abuse_runs_as_few_attacks_as_it_is_told_to() -> None:
    """On the real service; too few recordings for their times to be compared."""
    options = "--minutes 0.03 --clients 1 --attack junk-metadata --attack bad-keys"
    done = make(REPOSITORY, "soak-abuse", f"ARGS={options}")
    assert done.returncode == 0, done.stdout + done.stderr
    closing = done.stdout.splitlines()[-1]
    assert closing.startswith("no faults; "), done.stdout
    assert "401 unauthorized" in done.stdout


def honest(seconds: float = 1.0, **fields: Any) -> Honest:
    return Honest(seconds=[seconds] * ENOUGH, answered=1_000, **fields)


def findings(**fields: Any) -> Findings:
    """A run without a fault, but for these fields."""
    hostile = Tally()
    hostile.add("bad-keys", "401 unauthorized: No.")
    return Findings(
        **{
            "honest": [Group("Bota", honest(), honest())],
            "hostile": hostile,
            "taken": Taken(),
            "bounds": Bounds(service_bytes=10, worker_bytes=10, disk_bytes=10),
            "attacks": ["bad-keys"],
        }
        | fields
    )


def beside(attacked: Honest) -> list[Group]:
    return [Group("Bota", honest(), attacked)]


def answered(*answers: str) -> Tally:
    tally = Tally()
    for answer in answers:
        tally.add("bad-keys", answer)
    return tally


def test_a_run_in_which_all_is_well_has_no_fault() -> None:
    found = findings(honest=beside(honest(2.9)))
    assert found.faults() == []
    assert found.closing_line().startswith("no faults; 8 honest recordings beside the attacks; Bota: 2.90 x as long")


def a_tenth_slow() -> Honest:
    return Honest(seconds=[1.0] * ENOUGH + [9.0] * 3, answered=1_000)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"honest": beside(honest(3.1))}, "the median of the recordings took 3.1 x"),
        ({"honest": beside(a_tenth_slow())}, "the slowest tenth of the recordings took 9.0 x"),
        ({"honest": beside(honest(refused=["GET /v1: 500"]))}, "Bota, attacked: GET /v1: 500"),
        ({"honest": beside(honest(asked_to_wait=11))}, "asked to wait 11 times"),
        ({"honest": beside(Honest())}, "no recording came to its transcript"),
        ({"hostile": answered()}, "bad-keys: never refused with '401 '"),
        ({"hostile": answered("200", "503 busy: Later.")}, "bad-keys: never refused with '401 '"),
        (
            {"hostile": answered("401 unauthorized: No.", "500 internal_error: Oh.")},
            "bad-keys: answered 1 times with '500",
        ),
        ({"hostile": answered("401 unauthorized: No.", "no answer: TimeoutError")}, "with 'no answer"),
        ({"taken": Taken(service_bytes=11)}, "memory of the service"),
        ({"taken": Taken(worker_bytes=11)}, "memory of a worker"),
        ({"taken": Taken(disk_bytes=11)}, "disk"),
        ({"others": ["1 requests were answered with 500"]}, "1 requests were answered with 500"),
    ],
)
def test_what_must_not_be_is_told(fields: dict[str, Any], said: str) -> None:
    faults = findings(**fields).faults()
    assert any(said in fault for fault in faults), faults


def test_times_of_few_recordings_are_no_fault() -> None:
    found = findings(honest=beside(Honest(seconds=[9.0], answered=9)))
    assert found.faults() == []
    assert "too few to compare" in found.closing_line()


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (201, b"{}", "201"),
        (400, b'{"error": {"code": "invalid", "message": "Chunk 7 of rec_1a2b."}}', "400 invalid: Chunk N of ID."),
        (400, b'{"error": "chunkId must be at most 12"}', "400 chunkId must be at most N"),
        (503, b'{"message": "Too much waits.", "code": 503}', "503 Too much waits."),
        (408, b"slow", "408 slow"),
    ],
)
def test_an_answer_has_the_same_name_whatever_numbers_it_names(status: int, body: bytes, name: str) -> None:
    assert answer_name(status, body) == name


def test_a_recordings_end_has_a_name() -> None:
    failure = {"stage": "stitch", "reason": "not_audio", "message": "Chunk 3 holds no audio."}
    assert end_name({"status": "failed", "failure": failure}) == "failed not_audio: Chunk N holds no audio."
    assert end_name({"status": "completed", "failure": None}) == "ended: completed"

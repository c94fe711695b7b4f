"""A slice of the soak of damaged recordings, and that it notices what it is there for."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.audio.stitching import StitchedAudio, stitch
from tests.guides.shell import make
from tests.places import REPOSITORY
from tests.tools.soak import audio
from tests.tools.soak.audio import Outcome, run_case, soak
from tests.tools.soak.audio_cases import case_of

CASES = 400


@pytest.mark.slow
async def test_damaged_recordings_end_in_audio_or_in_a_named_reason() -> None:
    summary = await soak(range(CASES), workers=2)
    assert [(one.seed, one.fault) for one in summary.faults] == []
    assert summary.cases == CASES
    assert summary.ends["audio"] > CASES / 10
    assert summary.ends["not_audio"] > 0


def test_a_seed_gives_the_same_case_every_time() -> None:
    for seed in range(60):
        assert case_of(seed) == case_of(seed)
    assert len({case_of(seed).chunks for seed in range(60)}) == 60


@pytest.mark.slow
def test_make_soak_audio_runs_as_few_as_it_is_told_to_and_one_again(tmp_path: Path) -> None:
    done = make(REPOSITORY, "soak-audio", f"ARGS=--seed 3 --failures {tmp_path}")
    assert done.stdout.startswith("seed 3: "), done.stderr
    chunks = sorted((tmp_path / "3").glob("chunk_*"))
    assert tuple(chunk.read_bytes() for chunk in chunks) == case_of(3).chunks
    done = make(REPOSITORY, "soak-audio", f"ARGS=--cases 5 --first-seed 3 --failures {tmp_path}")
    assert done.stdout.splitlines()[0] == "5 damaged recordings:", done.stdout + done.stderr
    assert done.returncode == 0


def crash(seed: int) -> Outcome:
    os.kill(os.getpid(), signal.SIGSEGV)
    return run_case(seed)


def never_end(seed: int) -> Outcome:
    def endless_stitch(*_: object) -> None:
        while True:
            pass

    audio.MOST_CPU_SECONDS = 1
    audio.stitch = endless_stitch  # type: ignore[assignment]
    return run_case(seed)


def hoard(seed: int) -> Outcome:
    def hoarding_stitch(*arguments: Any) -> StitchedAudio:
        hoarded = b"x" * audio.MOST_BYTES
        assert len(hoarded) == audio.MOST_BYTES
        return stitch(*arguments)

    audio.stitch = hoarding_stitch
    return run_case(seed)


def blunder(seed: int) -> Outcome:
    audio.stitch = lambda *_: {}["nothing"]  # type: ignore[assignment]
    return run_case(seed)


def invent(seed: int) -> Outcome:
    audio.longest_ms = lambda _: -1
    return run_case(seed)


def hear_less(seed: int) -> Outcome:
    pcm_blocks = audio.pcm_blocks
    audio.pcm_blocks = lambda source: (block[800:] for block in pcm_blocks(source))
    return run_case(seed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "said"),
    [
        (crash, "the worker died"),
        (never_end, "the worker died"),
        (hoard, " MiB"),
        (blunder, "stitch raised KeyError"),
        (hear_less, "ms are heard"),
        (invent, "of files that hold at most -1 ms"),
    ],
)
async def test_what_must_never_happen_is_told_and_its_chunks_are_kept(
    job: Callable[[int], Outcome], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = next(seed for seed in range(100) if (run_case(seed).heard_ms or 0) > 100)
    summary = await soak([seed], workers=1, failures=tmp_path, job=job)
    assert [one.seed for one in summary.faults] == [seed]
    assert f"seed {seed}: " in (printed := capsys.readouterr().out)
    assert said in printed
    assert (tmp_path / str(seed) / "chunk_01").read_bytes() == case_of(seed).chunks[0]

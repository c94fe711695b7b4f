"""A process that transcribes recordings with one engine on one core: `Listener` in the bench, `main` in the process."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.places import REPOSITORY
from tests.tools.bench.words.engines import ALL_ENGINES, Heard


class Listener:
    """The process, with its model loaded before anything is measured."""

    def __init__(self, engine: str, core: int, warm_up: Path) -> None:
        self._warm_up = warm_up
        command = [sys.executable, "-m", "tests.tools.bench.words.hearing", engine, str(core)]
        self._process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment()
        )

    def __enter__(self) -> Self:
        self.hear(self._warm_up)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def hear(self, recording: Path) -> Heard:
        self.begin(recording)
        return self.result()

    def begin(self, recording: Path) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{recording}\n")
        self._process.stdin.flush()

    def result(self) -> Heard:
        """The result of the oldest recording that was begun and not returned yet."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("An engine's process ended; its output is above.")
        return Heard(**json.loads(line))


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def main(engine_name: str, core: str) -> None:
    os.sched_setaffinity(0, {int(core)})
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print; this keeps the results' pipe clean
    engine = ALL_ENGINES[engine_name]()
    for line in sys.stdin:
        print(json.dumps(asdict(engine.hear(Path(line.rstrip("\n"))))), file=results, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

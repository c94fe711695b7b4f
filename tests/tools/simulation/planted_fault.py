"""What a fault to plant is, and which tests must notice it."""

from dataclasses import dataclass

FAST_TESTS = (
    "tests/domain",
    "tests/service/followers",
    "tests/service/application/test_recordings.py",
    "-k",
    "not test_publisher and not test_supervision",
)
LOG_TESTS = ("tests/adapters/event_log/test_postgres.py", "tests/adapters/event_log/test_postgres_stopped.py")
"""They need a real PostgreSQL. The simulation does not know it."""


@dataclass(frozen=True)
class Fault:
    """Replaces the one occurrence of `right` in `path` with `wrong`."""

    name: str
    path: str
    right: str
    wrong: str
    tests: tuple[str, ...] = FAST_TESTS

    @property
    def is_simulated(self) -> bool:
        """Whether the simulation runs the code that the fault is in."""
        return self.tests == FAST_TESTS

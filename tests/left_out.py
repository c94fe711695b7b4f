"""What a machine lacks is left out of the tests there, with the reason. In CI nothing is: there it is an error."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def skip_outside_ci(reason: str) -> None:
    """Skip the test. In CI it returns, and its caller raises what is wrong."""
    if os.environ.get("CI") != "true":
        pytest.skip(reason)


def needed(program: str, purpose: str) -> str:
    """Its path. Skips the test where it is not installed; in CI that fails it. `purpose`: what "this test" does."""
    found = shutil.which(program)
    if found is None:
        skip_outside_ci(f"{program} is not installed; this test {purpose} with it.")
        pytest.fail(f"{program} is not installed, and in CI this test must run.")
    return found


@contextmanager
def left_out_without(missing: type[Exception], what: str) -> Iterator[None]:
    """A block without which the test cannot run: skips it if `missing` is raised; in CI that fails it. `what`: it
    needs."""
    try:
        yield
    except missing as because:
        skip_outside_ci(f"needs {what}: {because}")
        raise

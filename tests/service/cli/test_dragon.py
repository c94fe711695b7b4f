"""The command line for those who run a service for Dragon's clients."""

import pytest
from click.testing import CliRunner

from adapters.keys import KeyStore
from service.application.clock import utc_now
from service.cli import main

CUSTOMER = "2C1E6F0E-7d3a-4b5c-9e8f-0a1b2c3d4e5f"


@pytest.fixture
def run(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(main, arguments, env={"TAPEDECK_DATA_DIR": str(tmp_path / "data")})

    return run


def test_a_key_for_a_customer_is_of_the_project_that_its_recordings_are_in(run, tmp_path):
    made = run("keys", "create", "--customer", CUSTOMER)
    assert made.exit_code == 0
    keys = KeyStore(tmp_path / "data" / "keys.sqlite3", clock=utc_now)
    key = keys.authenticate(made.stdout.strip(), now=utc_now())
    keys.close()
    assert key.project_id == "proj_2c1e6f0e7d3a4b5c9e8f0a1b2c3d4e5f"


def test_a_customer_is_a_project_so_both_at_once_are_refused(run):
    refused = run("keys", "create", "--customer", CUSTOMER, "--project", "proj_1")
    assert (refused.exit_code, "not both" in refused.stderr) == (2, True)


def test_a_customer_that_is_no_uuid_is_refused(run):
    assert run("keys", "create", "--customer", "clinic").exit_code == 2

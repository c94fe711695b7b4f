"""The guide to operating the service: its commands, its settings table, its data directory."""

import re

import pytest
from click import Choice, Group

from adapters.event_log.opening import open_log
from adapters.keys import KeyKind
from adapters.quotas import Quota
from service.cli import main
from service.cli.serve import setting_rows
from tests.guides.guides import block, section
from tests.guides.shell import checkout, run

GUIDE = "service/runtime/README.md"


def first_column(heading: str) -> list[str]:
    rows = re.findall(r"^\| (`[^|]*) \|", section(GUIDE, heading), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_the_settings_table_is_the_settings():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", section(GUIDE, "Settings"), re.MULTILINE)
    assert rows == [(name, what, f"`{default}`") for name, what, default in setting_rows()]


def test_every_kind_of_key_is_named():
    assert first_column("Keys") == [kind.value for kind in KeyKind]


def test_a_key_is_made_and_listed(tmp_path):
    script = block("service/runtime/README.md", "Keys", "sh")
    (tmp_path / "data").mkdir()
    key, listed = run(script, checkout(tmp_path, tmp_path / "data")).stdout.splitlines()
    assert key.startswith("rk_live_")
    assert re.search(r" restricted  proj_1  in force  recordings:read until \S+ a report$", listed)


@pytest.mark.slow
def test_a_projects_quotas_are_set_shown_and_reset(tmp_path):
    script = block("service/runtime/README.md", "Quotas", "sh")
    open_log(f"sqlite:///{tmp_path}/data/tapedeck.sqlite3").close()
    said = run(script, checkout(tmp_path, tmp_path / "data")).stdout
    assert "  bytes            0 (of 50000000000, set for this project)\n" in said
    assert "  open_recordings  0 (no limit, set for this project)\n" in said
    assert said.endswith("proj_1: the settings are in force.\n")


def test_every_quota_is_named():
    assert sorted(first_column("Quotas")) == sorted(quota.value for quota in Quota)


@pytest.mark.slow
async def test_a_copy_of_the_data_directory_is_whole_and_the_service_starts_on_it(own_service, tmp_path):
    own_service.settings |= {"API_PROCESSES": "2"}  # which have files of their own
    api = (await own_service.start()).api()
    recording = await api.upload([b"not audio", b"nor this"])
    assert (await api.finalize(recording, 2)).status == 200
    await api.ended(recording)
    assert set(first_column("The data directory")) == {
        path.name.removesuffix("-wal").removesuffix("-shm") + "/" * path.is_dir()
        for path in own_service.data_dir.iterdir()
    }
    before = await api.get(recording)
    assert own_service.stop() == 0
    folder = checkout(tmp_path, own_service.data_dir)
    script = block("service/runtime/README.md", "Backup", "sh")
    assert script.startswith("cp -a .data ")
    run(script.replace("cp -a .data ", "cp -a .data/. "), folder)  # here .data is a symbolic link
    own_service.data_dir = folder / "backup"
    rebuilt = run(".venv/bin/tapedeck rebuild summaries", folder, TAPEDECK_DATA_DIR="backup")
    assert rebuilt.stdout.startswith("summaries: ")
    rebuilt = run(".venv/bin/tapedeck rebuild orders", folder, TAPEDECK_DATA_DIR="backup")
    assert rebuilt.stdout.startswith("orders: ")
    rebuilt = run(".venv/bin/tapedeck rebuild search", folder, TAPEDECK_DATA_DIR="backup")
    assert rebuilt.stdout.startswith("search: ")
    rebuilt = run(".venv/bin/tapedeck rebuild usage", folder, TAPEDECK_DATA_DIR="backup")
    assert rebuilt.stdout.startswith("usage: ")
    await own_service.start()
    assert await own_service.api().get(recording) == before


@pytest.mark.slow
def test_a_service_is_copied_as_the_guide_says(tmp_path, database):
    open_log(f"sqlite:///{tmp_path}/data/tapedeck.sqlite3").close()
    folder = checkout(tmp_path, tmp_path / "data")
    script = block("service/runtime/README.md", "Moving house", "sh")
    said = run(script, folder, TAPEDECK_DATABASE_URL=database).stdout
    assert "This was a pass. For the last one, stop the service on .data and add --last.\n" in said
    assert said.endswith(
        f"The copy is complete. Start the service with these settings, TAPEDECK_DATA_DIR={folder}/.data-new, and never "
        "again on .data.\n"
    )
    open_log(database, must_exist=True).close()


def test_a_view_that_can_be_rebuilt_is_named_as_it_is():
    assert isinstance(main, Group)
    (view,) = main.get_command(None, "rebuild").params
    assert isinstance(view.type, Choice)
    told = " ".join(section(GUIDE, "Upgrade").split())
    assert [name for name in view.type.choices if f"`tapedeck rebuild {name}`" not in told] == []

"""The guide to installing the service: its commands put files where they belong, and systemd takes what is there."""

import re

import yaml

from tests.guides.guides import block, section
from tests.guides.shell import run
from tests.left_out import needed
from tests.places import REPOSITORY

GUIDE = "service/runtime/deploy/README.md"
DEPLOY = REPOSITORY / "service/runtime/deploy"


def test_the_files_for_systemd_go_where_it_looks_for_them(tmp_path):
    script = block("service/runtime/deploy/README.md", "With systemd", "sh")
    run(script, REPOSITORY, DESTDIR=str(tmp_path))
    assert (tmp_path / "etc/tapedeck/tapedeck.env").stat().st_mode & 0o777 == 0o600
    needed("systemd-analyze", "checks the files for systemd")
    made = run('systemd-sysusers --dry-run --root="$DESTDIR" tapedeck.conf', tmp_path, DESTDIR=str(tmp_path))
    assert "tapedeck" in made.stdout + made.stderr
    assert (tmp_path / "etc/systemd/system/tapedeck.service").is_file()


def test_the_environment_file_for_compose_has_a_new_password_that_nobody_else_can_read(tmp_path):
    script = block("service/runtime/deploy/README.md", "With Compose", "sh")
    folder = tmp_path / "service/runtime/deploy/compose"
    folder.mkdir(parents=True)
    written = set()
    for _ in range(2):
        run(script, tmp_path)
        written.add((folder / ".env").read_text())
    assert len(written) == 2
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    for text in written:
        assert re.fullmatch(r"PUBLIC_URL=https://\S+\nDATABASE_PASSWORD=[0-9a-f]{48}\n", text)


def test_the_alerts_to_wake_somebody_for_are_those_in_the_table():
    (group,) = yaml.safe_load((DEPLOY / "monitoring/alerts.yaml").read_text())["groups"]
    critical = [rule["alert"] for rule in group["rules"] if rule["labels"]["severity"] == "critical"]
    told = re.findall(r"^\| `(\w+)` \|", section(GUIDE, "Alerts"), re.MULTILINE)
    assert sorted(told) == sorted(critical)

"""The guide to installing the service: its commands put files where they belong, and systemd takes what is there."""

import re
import shutil

import yaml

from tests.guides.guides import block, section
from tests.guides.shell import run
from tests.left_out import needed
from tests.places import REPOSITORY
from tests.tools.helm import CHART, away_from_clusters, helm, helm_program, understood

GUIDE = "service/runtime/deploy/README.md"


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


def test_the_chart_is_checked_looked_at_and_installed_with_the_values_of_the_guide(tmp_path):
    """By Helm itself, but that it is to render what it would install: there is no cluster here."""
    secrets = understood(block("service/runtime/deploy/README.md", "On Kubernetes", "yaml", number=1))
    (tmp_path / "tapedeck.yaml").write_text(
        block("service/runtime/deploy/README.md", "On Kubernetes", "yaml", number=2)
    )
    script = block("service/runtime/deploy/README.md", "On Kubernetes", "sh")
    (tmp_path / "service").symlink_to(REPOSITORY / "service")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/helm").symlink_to(helm_program())
    assert script.count("helm install ") == 1
    environment = away_from_clusters()
    environment |= {"PATH": f"{tmp_path}/bin:{environment['PATH']}"}
    installed = run(script.replace("helm install ", "helm template "), tmp_path, **environment).stdout
    rendered = (tmp_path / "rendered.yaml").read_text()
    assert installed.endswith(rendered)
    (stateful,) = [each for each in understood(rendered) if each["kind"] == "StatefulSet"]
    environment = stateful["spec"]["template"]["spec"]["containers"][0]["env"]
    referred = [each["valueFrom"]["secretKeyRef"] for each in environment if "valueFrom" in each]
    assert {(each["name"], each["key"]) for each in referred} == {
        (secret["metadata"]["name"], key) for secret in secrets for key in secret["stringData"]
    }
    assert {secret["metadata"]["namespace"] for secret in secrets} == {stateful["metadata"]["namespace"]}
    (claim,) = stateful["spec"]["volumeClaimTemplates"]
    name = stateful["metadata"]["name"]
    assert f"`{claim['metadata']['name']}-{name}-0`" in section(GUIDE, "Backup")
    notes = notes_of(tmp_path)
    assert "Clients reach it at https://tapedeck.example.com\n" in notes
    assert f"  kubectl --namespace clinic exec statefulset/{name} -- tapedeck keys create\n" in notes
    assert "The event log is in a file" not in notes


def notes_of(folder):
    """What is printed after an installation: in a copy of the chart it is an object, since Helm prints it only then."""
    templates = shutil.copytree(CHART, folder / "chart") / "templates"
    (templates / "NOTES.txt").rename(templates / "_notes.tpl")
    included = '{{- include (print .Template.BasePath "/_notes.tpl") . | nindent 2 }}'
    (templates / "notes.yaml").write_text(f"notes: |\n  {included}\n")
    asked = ["--namespace", "clinic", "--values", f"{folder}/tapedeck.yaml", "--show-only", "templates/notes.yaml"]
    ran = helm("template", "clinic", f"{folder}/chart", *asked)
    assert ran.returncode == 0, ran.stderr
    return yaml.safe_load(ran.stdout)["notes"]


def test_the_alerts_to_wake_somebody_for_are_those_in_the_table():
    (group,) = yaml.safe_load((CHART / "monitoring/alerts.yaml").read_text())["groups"]
    critical = [rule["alert"] for rule in group["rules"] if rule["labels"]["severity"] == "critical"]
    told = re.findall(r"^\| `(\w+)` \|", section(GUIDE, "Alerts"), re.MULTILINE)
    assert sorted(told) == sorted(critical)

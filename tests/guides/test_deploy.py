"""The guide to installing the service: its commands put files where they belong, and systemd takes what is there."""

import os
import re
import shutil
import ssl
import sys
from base64 import b64decode, b64encode
from urllib.parse import urlsplit

import yaml

from service.runtime.shared_secrets import check_secrets, made_secrets
from tests.guides.guides import block, section
from tests.guides.shell import run
from tests.left_out import needed
from tests.places import REPOSITORY
from tests.tools.helm import CHART, away_from_clusters, helm, helm_program, understood

GUIDE = "service/runtime/deploy/README.md"


def test_the_files_for_systemd_go_where_it_looks_for_them(tmp_path):
    script = block("service/runtime/deploy/README.md", "With systemd", "sh")
    run(script, REPOSITORY, DESTDIR=str(tmp_path))
    run(
        block("service/runtime/deploy/README.md", "Several machines with systemd", "sh"),
        REPOSITORY,
        DESTDIR=str(tmp_path),
    )
    assert (tmp_path / "etc/tapedeck/tapedeck.env").stat().st_mode & 0o777 == 0o600
    needed("systemd-analyze", "checks the files for systemd")
    made = run('systemd-sysusers --dry-run --root="$DESTDIR" tapedeck.conf', tmp_path, DESTDIR=str(tmp_path))
    assert "tapedeck" in made.stdout + made.stderr
    units = sorted(path.name for path in (tmp_path / "etc/systemd/system").iterdir())
    assert units == ["tapedeck-publish.service", "tapedeck-work.service", "tapedeck.service"]


def test_the_keys_of_a_host_are_put_in_their_place_on_another_machine(tmp_path):
    copied = block("service/runtime/deploy/README.md", "Several machines with systemd", "sh", number=2)
    put = block("service/runtime/deploy/README.md", "Several machines with systemd", "sh", number=3)
    assert put.count("tapedeck:tapedeck") == 1
    put = put.replace("tapedeck:tapedeck", f"{os.getuid()}:{os.getgid()}")  # a user that is there
    one, other = (tmp_path / name / "var/lib/tapedeck" for name in ("one", "other"))
    one.mkdir(parents=True)
    digests = made_secrets(one)
    run(copied, tmp_path, DESTDIR=str(tmp_path / "one"))
    assert (tmp_path / "host-secrets.tar").stat().st_mode & 0o777 == 0o600
    run(put, tmp_path, DESTDIR=str(tmp_path / "other"))
    check_secrets(other, digests)
    assert other.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in other.iterdir()} == {0o600}
    assert not (tmp_path / "host-secrets.tar").exists()


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
    assert script.count("helm install ") == 1
    environment = on_kubernetes(tmp_path)
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
    notes = notes_of(tmp_path / "tapedeck.yaml")
    assert "Clients reach it at https://tapedeck.example.com\n" in notes
    assert f"  kubectl --namespace clinic exec statefulset/{name} -- tapedeck keys create\n" in notes
    assert "The event log is in a file" not in notes


KUBECTL = """
import base64, json, os, subprocess, sys
namespace, name, command, *rest = sys.argv[1:]
assert (namespace, name) == ("--namespace", "clinic"), sys.argv
match command, *rest:
    case "exec", "clinic-tapedeck-0", "--", *program:
        here = {"/var/lib/tapedeck/data": os.environ["POD_DATA"]}
        sys.exit(subprocess.run([here.get(each, each) for each in program]).returncode)
    case "create", "secret", "generic", name, *files:
        paths = [each.removeprefix("--from-file=") for each in files]
        data = {path: base64.b64encode(open(path, "rb").read()).decode() for path in paths}
        metadata = {"name": name, "namespace": "clinic"}
        print(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}))
    case "rollout", "status" | "restart", "statefulset/clinic-tapedeck":
        pass
    case ("scale", "statefulset,deployment", "--selector", selector, "--replicas", "0") | (
        "wait", "pod", "--selector", selector, "--for", "delete", "--timeout", "10m"
    ):
        print(selector)
    case _:
        sys.exit(f"not in the guide: {sys.argv}")
"""
"""For the guide's commands: runs in a folder of this machine what is to run in a pod, and prints what is to be made."""


def on_kubernetes(folder, **more):
    """The environment of the guide's commands. `more`: further variables."""
    (folder / "bin").mkdir()
    (folder / "bin/helm").symlink_to(helm_program())
    kubectl = folder / "bin/kubectl"
    kubectl.write_text(f"#!{sys.executable}\n{KUBECTL}")
    kubectl.chmod(0o755)
    (folder / "service").symlink_to(REPOSITORY / "service")
    environment = away_from_clusters() | more
    return environment | {"PATH": f"{folder}/bin:{environment['PATH']}"}


def test_the_secret_of_several_hosts_has_new_keys_or_those_of_the_host_that_is_there(tmp_path):
    made = block("service/runtime/deploy/README.md", "Several hosts on Kubernetes", "sh", number=1)
    taken = block("service/runtime/deploy/README.md", "Several hosts on Kubernetes", "sh", number=2)
    put = block("service/runtime/deploy/README.md", "Several hosts on Kubernetes", "sh", number=3)
    (data := tmp_path / "pod").mkdir()
    digests = made_secrets(data)
    (folder := tmp_path / "keys").mkdir()
    environment = on_kubernetes(tmp_path, POD_DATA=str(data))
    secrets = []
    for script in (made, made, taken):
        run(script, folder, **environment)
        assert {path.name for path in folder.iterdir()} == set(digests)
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        whole = made_secrets(folder)  # which refuses what is no key
        assert (whole == digests) == (script is taken)
        (secret,) = understood(run(put, folder, **environment).stdout)
        assert not list(folder.iterdir())
        assert secret["data"].keys() == digests.keys()
        secrets.append(secret["data"])
    assert not set(secrets[0].values()) & set(secrets[1].values())
    assert {name: b64encode((data / name).read_bytes()).decode() for name in digests} == secrets[2]


def test_several_hosts_workers_and_publishers_are_rendered_and_upgraded_as_the_guide_says(tmp_path):
    values = [
        block("service/runtime/deploy/README.md", "On Kubernetes", "yaml", number=2),
        block("service/runtime/deploy/README.md", "Several hosts on Kubernetes", "yaml"),
    ]
    (tmp_path / "tapedeck.yaml").write_text("".join(values))
    script = block("service/runtime/deploy/README.md", "Upgrade", "sh")
    assert script.count("helm upgrade ") == 1
    environment = on_kubernetes(tmp_path)
    rendered = run(script.replace("helm upgrade ", "helm template "), tmp_path, **environment).stdout
    found = {(each["kind"], each["metadata"]["name"]): each for each in understood(rendered)}
    work, publish = "clinic-tapedeck-work", "clinic-tapedeck-publish"
    assert found["StatefulSet", "clinic-tapedeck"]["spec"]["replicas"] == 3
    assert sorted(name for kind, name in found if kind == "Deployment") == [publish, work]
    all_stop = run(
        block("service/runtime/deploy/README.md", "Upgrade", "sh", number=2), tmp_path, **environment
    ).stdout.split()
    (selected,) = {selector.partition("=")[::2] for selector in all_stop}
    for (kind, _), whole in found.items():
        if kind in {"StatefulSet", "Deployment"}:
            assert selected in whole["metadata"]["labels"].items()
            assert selected in whole["spec"]["template"]["metadata"]["labels"].items()
    secret = yaml.safe_load(values[1])["hostSecret"]
    assert f" create secret generic {secret} " in section(GUIDE, "Several hosts on Kubernetes")
    assert f"`{secret}`" in section(GUIDE, "Several hosts on Kubernetes")
    notes = notes_of(tmp_path / "tapedeck.yaml")
    for name in (work, publish):
        assert f"  kubectl --namespace clinic rollout restart deployment/{name}\n" in notes


def test_the_certificate_that_hosts_show_one_another_is_for_the_names_at_which_the_chart_has_them(tmp_path):
    made = block("service/runtime/deploy/README.md", "TLS between hosts on Kubernetes", "sh", number=1)
    values = [
        block("service/runtime/deploy/README.md", "On Kubernetes", "yaml", number=2),
        block("service/runtime/deploy/README.md", "Several hosts on Kubernetes", "yaml"),
        block("service/runtime/deploy/README.md", "TLS between hosts on Kubernetes", "yaml"),
    ]
    anew = block("service/runtime/deploy/README.md", "TLS between hosts on Kubernetes", "sh", number=2)
    needed("openssl", "makes certificates")
    (folder := tmp_path / "made").mkdir()
    environment = on_kubernetes(tmp_path)
    (secret,) = understood(run(made, folder, **environment).stdout)
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "ca.key", "ca.srl"}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    for name, content in secret["data"].items():
        (folder / name).write_bytes(b64decode(content))
    (tmp_path / "tapedeck.yaml").write_text("".join(values))
    arguments = ["template", "clinic", str(CHART), "--namespace", "clinic", "--values", str(tmp_path / "tapedeck.yaml")]
    (stateful,) = [each for each in understood(helm(*arguments).stdout) if each["kind"] == "StatefulSet"]
    pod = stateful["spec"]["template"]["spec"]
    (volume,) = [each["secret"] for each in pod["volumes"] if each["name"] == "host-tls"]
    assert volume["secretName"] == secret["metadata"]["name"]
    assert {each["key"] for each in volume["items"]} == secret["data"].keys()
    (peer,) = [each["value"] for each in pod["containers"][0]["env"] if each["name"] == "TAPEDECK_PEER_URL"]
    for number in range(stateful["spec"]["replicas"]):
        name = urlsplit(peer.replace("$(POD_NAME)", f"clinic-tapedeck-{number}")).hostname
        assert is_trusted(folder, name)
    assert not is_trusted(folder, "clinic-tapedeck-operations.clinic.svc")
    run(anew, tmp_path, **environment)


def is_trusted(folder, name):
    """Whether who trusts `ca.crt` believes that a server with `tls.crt` has this name."""
    server, client = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(cafile=folder / "ca.crt"),
    )
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there, server_hostname=name), server.wrap_bio(there, back, server_side=True)]
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError:
            return False
    return True


def notes_of(values):
    """What is printed after an installation: in a copy of the chart it is an object, since Helm prints it only then."""
    folder = values.parent
    templates = shutil.copytree(CHART, folder / "chart") / "templates"
    (templates / "NOTES.txt").rename(templates / "_notes.tpl")
    included = '{{- include (print .Template.BasePath "/_notes.tpl") . | nindent 2 }}'
    (templates / "notes.yaml").write_text(f"notes: |\n  {included}\n")
    asked = ["--namespace", "clinic", "--values", str(values), "--show-only", "templates/notes.yaml"]
    ran = helm("template", "clinic", f"{folder}/chart", *asked)
    assert ran.returncode == 0, ran.stderr
    return yaml.safe_load(ran.stdout)["notes"]


def test_the_alerts_to_wake_somebody_for_are_those_in_the_table():
    (group,) = yaml.safe_load((CHART / "monitoring/alerts.yaml").read_text())["groups"]
    critical = [rule["alert"] for rule in group["rules"] if rule["labels"]["severity"] == "critical"]
    told = re.findall(r"^\| `(\w+)` \|", section(GUIDE, "Alerts"), re.MULTILINE)
    assert sorted(told) == sorted(critical)

"""The chart for Kubernetes: Helm renders it, Kubernetes' own types take that, and the service runs with it."""

import json
import os
import re
import subprocess
import sys
import time
from http import HTTPStatus
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from service.runtime.chart_schema import SCHEMA, is_secret, written
from service.runtime.readiness import ANSWER_SECONDS
from service.runtime.settings import Settings
from tests.end_to_end.containerfile import instructions_of_the_image
from tests.end_to_end.rendered_chart import (
    CLOSING_SECONDS,
    EVERY_SET,
    IN_SECRETS,
    SCALED_OUT,
    SEVERAL,
    WATCHED,
    container_of,
    environment_of,
    loaded,
    one,
    pod_of,
)
from tests.places import REPOSITORY
from tests.tools.free_ports import free_port
from tests.tools.helm import CHART, helm, objects, read
from tests.tools.s3.server import CREDENTIALS

SECONDS = 120
ALWAYS = ["NetworkPolicy", "Service", "Service", "ServiceAccount", "StatefulSet"]


@EVERY_SET
def test_helm_takes_the_chart_and_kubernetes_every_object_that_comes_of_it(values):
    checked = helm("lint", "--strict", str(CHART), "--values", "-", values=values)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    kinds = sorted(each["kind"] for each in objects(values))
    policy_is_off = values.get("networkPolicy", {}).get("enabled") is False
    asked = [
        *["Ingress"] * ("ingress" in values),
        *["ConfigMap", "PrometheusRule", "ServiceMonitor"] * ("monitoring" in values),
        *["Deployment", "Deployment", "PodDisruptionBudget", "Service", "Service"] * ("workers" in values),
        *["NetworkPolicy"] * ("workers" in values and not policy_is_off),
    ]
    assert kinds == sorted([*ALWAYS[policy_is_off:], *asked])


def test_what_kubernetes_would_refuse_is_refused_here():
    ran = helm("template", "tapedeck", str(CHART))
    for right, wrong, said in (
        (
            "fsGroupChangePolicy:",
            "fsGroupChangesPolicy:",
            'unknown field "spec.template.spec.securityContext.fsGroupChangesPolicy"',
        ),
        ("replicas: 1", "replicas: one", "StatefulSet"),
        ("drop: [ALL]", "drop: [CHOWN]", "unrestricted capabilities"),
        ("kind: ServiceAccount", "kind: ServiceAcount", 'no kind "ServiceAcount"'),
    ):
        assert ran.stdout.count(right) == 1, right
        answer = read(ran.stdout.replace(right, wrong))
        assert answer.returncode == 1
        assert said in answer.stderr
    several = helm("template", "tapedeck", str(CHART), "--values", "-", values=SCALED_OUT | SEVERAL).stdout
    pods = several.count("drop: [ALL]")
    for number in range(pods):
        changed = several.replace("drop: [ALL]", "drop: [NONE]", number + 1).replace("[NONE]", "[ALL]", number)
        assert "unrestricted capabilities" in read(changed.replace("[NONE]", "[CHOWN]")).stderr
    assert pods == len(["the host's container", "its first one", "a worker's", "a publisher's"])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicas": 0}, "at '/replicas': minimum: got 0, want 1"),
        (
            {"replicas": 2} | SCALED_OUT,
            "replicas above 1 needs hostSecret: a Secret with the signing.key, webhooks.key",
        ),
        ({"hostTls": {"secret": "a"}}, "hostTls.secret needs hostSecret: without it the service has one host"),
        (
            {"hostTls": {"trustOnly": True}},
            "hostTls.trustOnly needs hostTls.secret: a Secret with the authority that hosts are to trust",
        ),
        ({"hostSecret": "a"}, "need secrets.TAPEDECK_DATABASE_URL: the event log in PostgreSQL"),
        ({"workers": {"replicas": 1}}, "need secrets.TAPEDECK_DATABASE_URL: the event log in PostgreSQL"),
        ({"publishers": {"replicas": 1}}, "need secrets.TAPEDECK_DATABASE_URL: the event log in PostgreSQL"),
        ({"secrets": IN_SECRETS, "hostSecret": "a"}, "need settings.TAPEDECK_BLOB_URL with s3://"),
        ({"secrets": IN_SECRETS, "workers": {"replicas": 1}}, "need settings.TAPEDECK_BLOB_URL with s3://"),
        (
            {"secrets": IN_SECRETS, "hostSecret": "a", "settings": {"TAPEDECK_BLOB_URL": "file:///blobs"}},
            "need settings.TAPEDECK_BLOB_URL with s3://",
        ),
        (
            {"secrets": IN_SECRETS, "publishers": {"replicas": 1}},
            "publishers need settings.TAPEDECK_KAFKA_BOOTSTRAP_SERVERS",
        ),
        (
            {
                "secrets": IN_SECRETS,
                "hostSecret": "a",
                "settings": {"TAPEDECK_BLOB_URL": "s3://a", "TAPEDECK_REQUESTS_PER_MINUTE": 60},
            },
            "TAPEDECK_REQUESTS_PER_MINUTE cannot be combined with hostSecret",
        ),
        (
            {
                "secrets": IN_SECRETS,
                "hostSecret": "a",
                "settings": {"TAPEDECK_BLOB_URL": "s3://a", "TAPEDECK_DEVELOPMENT": True},
            },
            "TAPEDECK_DEVELOPMENT cannot be combined with hostSecret",
        ),
        ({"settings": {"TAPEDECK_PEER_URL": "http://a:1"}}, "additional properties 'TAPEDECK_PEER_URL' not allowed"),
        (
            {"workers": {"settings": {"TAPEDECK_WORKRES": 2}}},
            "at '/workers/settings': additional properties 'TAPEDECK_WORKRES' not allowed",
        ),
        ({"settings": {"TAPEDECK_WORKRES": 2}}, "additional properties 'TAPEDECK_WORKRES' not allowed"),
        ({"settings": {"TAPEDECK_WORKERS": 0}}, "at '/settings/TAPEDECK_WORKERS': minimum: got 0, want 1"),
        ({"settings": {"TAPEDECK_LOG_LEVEL": "LOUD"}}, "value must be one of 'DEBUG', 'INFO', 'WARNING', 'ERROR'"),
        ({"settings": {"TAPEDECK_DATABASE_URL": "x"}}, "additional properties 'TAPEDECK_DATABASE_URL' not allowed"),
        ({"settings": {"TAPEDECK_PORT": 80}}, "additional properties 'TAPEDECK_PORT' not allowed"),
        (
            {"secrets": {"TAPEDECK_STOP_SECONDS": {"secret": "a", "key": "b"}}},
            "additional properties 'TAPEDECK_STOP_SECONDS' not allowed",
        ),
        (
            {"secrets": {"TAPEDECK_PUBLIC_URL": {"secret": "a", "key": "b"}}},
            "additional properties 'TAPEDECK_PUBLIC_URL' not allowed",
        ),
        ({"secrets": {"TAPEDECK_DATABASE_URL": "x"}}, "at '/secrets/TAPEDECK_DATABASE_URL': got string, want object"),
        ({"secrets": {"TAPEDECK_DATABASE_URL": {"secret": "a"}}}, "missing property 'key'"),
        ({"files": [{"path": "/etc/tapedeck/a"}]}, "at '/files/0': 'oneOf' failed"),
        ({"persistence": {"accessMode": "ReadWriteMany"}}, "value must be one of 'ReadWriteOnce', 'ReadWriteOncePod'"),
        ({"ingress": {"enabled": True}}, "ingress.host must be set"),
        (
            {
                "settings": {"TAPEDECK_KAFKA_SASL_USERNAME": "a"},
                "secrets": {"TAPEDECK_KAFKA_SASL_USERNAME": {"secret": "a", "key": "b"}},
            },
            "TAPEDECK_KAFKA_SASL_USERNAME is in settings and in secrets",
        ),
        (
            {
                "workers": {"settings": {"TAPEDECK_NOTE_WRITER_MODEL": "a"}},
                "secrets": {"TAPEDECK_NOTE_WRITER_MODEL": {"secret": "a", "key": "b"}},
            },
            "TAPEDECK_NOTE_WRITER_MODEL is in settings and in secrets",
        ),
        (
            {"monitoring": {"serviceMonitor": {"enabled": True}}},
            "monitoring.serviceMonitor needs networkPolicy.monitoring",
        ),
    ],
)
def test_wrong_values_are_refused_by_name(values, said):
    ran = helm("template", "tapedeck", str(CHART), "--values", "-", values=values)
    assert ran.returncode != 0
    assert ran.stdout == ""
    assert said in ran.stderr


def test_the_schema_of_the_values_has_the_services_settings():
    assert SCHEMA.read_bytes() == written(), "the settings have changed: run make schemas"
    known = json.loads(SCHEMA.read_text())["properties"]
    assert "TAPEDECK_DATABASE_URL" in known["secrets"]["properties"]
    assert not any(
        is_secret(name.removeprefix("TAPEDECK_").lower())
        for name in known["settings"]["properties"]
        if name.startswith("TAPEDECK_")
    )


def test_every_setting_that_a_file_of_the_chart_names_is_one():
    settings = {f"TAPEDECK_{name.upper()}" for name in Settings.model_fields}
    for path in (path for path in CHART.rglob("*") if path.is_file()):
        assert set(re.findall(r"TAPEDECK_[A-Z_]+", path.read_text())) <= settings, path


@EVERY_SET
def test_each_command_takes_the_settings_as_they_are_rendered(values, monkeypatch, tmp_path, certificates):
    rendered = objects(values)
    secrets = {"TAPEDECK_DATABASE_URL": "postgresql://a:b@c/d", "TAPEDECK_KAFKA_SASL_PASSWORD": "e"}
    for command in ("serve", "work", "publish") if "workers" in values else ("serve",):
        environment = environment_of(rendered, secrets, command)
        container = container_of(rendered, command)
        mounts = [f"{each['mountPath']}/" for each in container["volumeMounts"]]
        for name, path in environment.items():
            if path.startswith("/"):
                assert any(map(path.startswith, mounts)), name
        if "TAPEDECK_KAFKA_SSL_CA" in environment:
            (authority := tmp_path / "ca.pem").write_bytes(certificates.authority)
            environment["TAPEDECK_KAFKA_SSL_CA"] = str(authority)
        with monkeypatch.context() as alone:
            settings = loaded(alone, environment)
        if "TAPEDECK_MAX_CHUNK_BYTES" in values.get("settings", {}):
            assert (settings.max_chunk_bytes, settings.transcribe_hours) == (1_073_741_824, 0.5)
            assert not settings.ambient_session_required
        expected = "https://tapedeck.example.com" if "ingress" in values else "http://tapedeck.clinic.svc:8080"
        assert settings.public_url == expected
        assert not settings.is_development
        if command == "serve":
            grace = pod_of(rendered)["terminationGracePeriodSeconds"]
            assert grace >= settings.drain_seconds + settings.stop_seconds + CLOSING_SECONDS
            assert (settings.peer_url is not None) == ("hostSecret" in values)
        for name in ("liveness", "readiness", "startup"):
            assert container[f"{name}Probe"]["timeoutSeconds"] > ANSWER_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["in files", "with PostgreSQL, a bucket and Kafka"])
def test_a_service_with_the_rendered_environment_answers_every_probe(kind, request, tmp_path):
    """With this machine's Python in place of the image's, a folder in place of the volume, and other ports."""
    values, secrets = {}, {}
    if kind != "in files":
        bucket = request.getfixturevalue("bucket_url")
        secrets = CREDENTIALS | {"TAPEDECK_DATABASE_URL": request.getfixturevalue("database")}
        values = {
            "settings": {
                "TAPEDECK_BLOB_URL": bucket,
                "TAPEDECK_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
                "AWS_REGION": CREDENTIALS["AWS_REGION"],
            },
            "secrets": IN_SECRETS,
        }
    container, ports = container_of(rendered := objects(values)), {8080: free_port(), 9464: free_port()}
    assert instructions_of_the_image()["CMD"] == '["tapedeck", "serve"]'
    here = {"/var/lib/tapedeck": str(tmp_path)} | {str(port): str(other) for port, other in ports.items()}
    environment = {
        name: re.sub("|".join(here), lambda found: here[found[0]], value) if name.endswith(("_DIR", "_PORT")) else value
        for name, value in environment_of(rendered, secrets).items()
    }
    numbers = {port["name"]: ports[port["containerPort"]] for port in container["ports"]}
    log = tmp_path / "log"
    with log.open("wb") as written_to:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve"],
            env={"PATH": os.environ["PATH"]} | environment,
            cwd=REPOSITORY,
            stderr=written_to,
        )
    try:
        probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
        scraped = one("ServiceMonitor", objects(WATCHED))["spec"]["endpoints"][0]
        for asked in [*probes, {"port": "http", "path": "/healthz"}, scraped]:
            answered(f"http://127.0.0.1:{numbers[asked['port']]}{asked['path']}", process, log)
    finally:
        process.kill()
        process.wait()


def answered(url, process, log):
    """Waits until it is answered with 200."""
    deadline = time.monotonic() + SECONDS
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - its own address
                assert answer.status == HTTPStatus.OK
                return
        except (URLError, ConnectionError):
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.05)

"""What the chart for Kubernetes makes: pods as the image wants them, and who reaches them."""

import json
import math
import re
import tarfile
import tomllib
from urllib.parse import urlsplit

import yaml

from tests.end_to_end.containerfile import instructions_of_the_image
from tests.end_to_end.rendered_chart import (
    CLOSING_SECONDS,
    EXPOSED,
    PEERS,
    SCALED_OUT,
    SEVERAL,
    TRUSTING,
    WATCHED,
    WITH_TLS,
    container_of,
    environment_of,
    loaded,
    one,
    pod_of,
)
from tests.places import REPOSITORY
from tests.tools.helm import CHART, helm, objects, understood

LONGEST_RELEASE_NAME, LONGEST_SERVICE_NAME = 53, 63
"""Helm's limit, and Kubernetes'."""


def test_there_is_one_pod_which_runs_as_the_user_of_the_image_and_has_its_ports_and_its_volume():
    rendered, image = objects({}), instructions_of_the_image()
    stateful, pod, container = one("StatefulSet", rendered)["spec"], pod_of(rendered), container_of(rendered)
    assert stateful["replicas"] == 1
    user, group = map(int, image["USER"].split(":"))
    its = pod["securityContext"]
    assert (its["runAsUser"], its["runAsGroup"], its["fsGroup"]) == (user, group, group)
    assert [str(port["containerPort"]) for port in container["ports"]] == image["EXPOSE"].split()
    assert "command" not in container
    assert "args" not in container
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert mounts[image["VOLUME"]] == stateful["volumeClaimTemplates"][0]["metadata"]["name"]
    assert environment_of(rendered)["TAPEDECK_DATA_DIR"] == image["ENV"]["TAPEDECK_DATA_DIR"]
    assert set(image["ENV"].items()) <= set(environment_of(rendered).items())
    assert one("Service", rendered, "operations")["metadata"]["name"] == stateful["serviceName"]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert container["image"] == f"tapedeck:{project['version']}"


def test_what_selects_pods_and_ports_selects_those_of_the_one_pod():
    rendered = objects(EXPOSED)
    stateful = one("StatefulSet", rendered)["spec"]
    services = [each["spec"] for each in rendered if each["kind"] == "Service"]
    policy = one("NetworkPolicy", rendered)["spec"]
    matched = [stateful["selector"]["matchLabels"], policy["podSelector"]["matchLabels"]]
    for selector in [*matched, *(service["selector"] for service in services)]:
        assert selector
        assert selector.items() <= stateful["template"]["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in container_of(rendered)["ports"]}
    for service in services:
        assert [ports[port["targetPort"]] for port in service["ports"]] == [port["port"] for port in service["ports"]]
    assert pod_of(rendered)["serviceAccountName"] == one("ServiceAccount", rendered)["metadata"]["name"]


def test_the_longest_name_of_a_release_makes_no_name_that_is_too_long():
    values = EXPOSED | SCALED_OUT | SEVERAL
    ran = helm("template", "r" * LONGEST_RELEASE_NAME, str(CHART), "--values", "-", values=values)
    names = [each["metadata"]["name"] for each in understood(ran.stdout)]
    assert max(map(len, names)) == LONGEST_SERVICE_NAME


def test_what_kubernetes_would_add_to_the_environment_by_itself_is_kept_out():
    """A Service called tapedeck gives pods a TAPEDECK_PORT, which is an address."""
    rendered = objects(SCALED_OUT | SEVERAL)
    for command in ("serve", "work", "publish"):
        assert pod_of(rendered, command)["enableServiceLinks"] is False
        assert pod_of(rendered, command)["automountServiceAccountToken"] is False


def test_a_secret_is_named_and_its_value_is_nowhere():
    rendered = objects(SCALED_OUT)
    referred = {
        each["name"]: each["valueFrom"]["secretKeyRef"] for each in container_of(rendered)["env"] if "valueFrom" in each
    }
    assert referred == {name: {"name": at["secret"], "key": at["key"]} for name, at in SCALED_OUT["secrets"].items()}
    volumes = [each for each in pod_of(rendered)["volumes"] if each["name"].startswith("files-")]
    assert volumes == [
        {"name": "files-0", "secret": {"secretName": "tapedeck-kafka-tls", "defaultMode": 0o440}},
        {"name": "files-1", "configMap": {"name": "tapedeck-allow-list", "defaultMode": 0o440}},
    ]
    assert all(
        mount["readOnly"] for mount in container_of(rendered)["volumeMounts"] if mount["name"].startswith("files-")
    )


def test_each_of_several_hosts_is_reached_by_the_others_at_its_own_name_and_by_nobody_else():
    rendered = objects(SCALED_OUT | SEVERAL | WATCHED)
    stateful, policy = one("StatefulSet", rendered)["spec"], one("NetworkPolicy", rendered, "tapedeck")["spec"]
    assert stateful["replicas"] == 3
    named = one("Service", rendered, stateful["serviceName"])["spec"]
    assert (named["clusterIP"], named["publishNotReadyAddresses"]) == ("None", True)
    for pod in ("tapedeck-0", "tapedeck-2"):
        peer = urlsplit(environment_of(rendered, pod_name=pod)["TAPEDECK_PEER_URL"])
        assert peer.hostname == f"{pod}.{stateful['serviceName']}.clinic.svc"
        assert {"name": "hosts", "containerPort": peer.port} in container_of(rendered)["ports"]
    hosts = [{"podSelector": stateful["selector"]}]
    assert {"ports": [{"port": "hosts"}], "from": hosts} in policy["ingress"]
    assert {"ports": [{"port": peer.port}], "to": hosts} in policy["egress"]
    assert not any(port["name"] == "hosts" for port in container_of(objects(SCALED_OUT))["ports"])


def test_hosts_show_and_trust_what_is_in_the_secret_for_tls_which_nobody_else_gets():
    rendered = objects(SCALED_OUT | SEVERAL | WITH_TLS)
    (volume,) = [each["secret"] for each in pod_of(rendered)["volumes"] if each["name"] == "host-tls"]
    names = {"tls.crt", "tls.key", "ca.crt"}
    assert (volume["secretName"], volume["defaultMode"]) == ("tapedeck-host-tls", 0o440)
    assert {each["key"] for each in volume["items"]} == {each["path"] for each in volume["items"]} == names
    (mount,) = [each for each in container_of(rendered)["volumeMounts"] if each["name"] == "host-tls"]
    assert mount["readOnly"]
    environment = environment_of(rendered)
    assert environment["TAPEDECK_PEER_URL"].startswith("https://tapedeck-0.")
    said = {environment[f"TAPEDECK_PEER_TLS_{name}"] for name in ("CERT", "KEY", "CA")}
    assert said == {f"{mount['mountPath']}/{name}" for name in names}
    for command in ("work", "publish"):
        assert "host-tls" not in {each["name"] for each in pod_of(rendered, command)["volumes"]}
        assert not any("PEER" in name for name in environment_of(rendered, command=command))


def test_before_hosts_use_tls_they_trust_who_does():
    before, trusting, after = (
        environment_of(objects(SCALED_OUT | values)) for values in (SEVERAL, SEVERAL | TRUSTING, SEVERAL | WITH_TLS)
    )
    added = {"TAPEDECK_PEER_TLS_CA": after["TAPEDECK_PEER_TLS_CA"]}
    assert trusting == before | added
    assert before["TAPEDECK_PEER_URL"].removeprefix("http") == after["TAPEDECK_PEER_URL"].removeprefix("https")


def test_several_hosts_are_upgraded_one_by_one_spread_and_not_moved_at_once():
    rendered = objects(SCALED_OUT | SEVERAL)
    stateful, budget = one("StatefulSet", rendered)["spec"], one("PodDisruptionBudget", rendered)["spec"]
    assert stateful["updateStrategy"] == {"type": "RollingUpdate"}
    assert stateful["podManagementPolicy"] == "Parallel"
    assert (budget["maxUnavailable"], budget["selector"]) == (1, stateful["selector"])
    spread = pod_of(rendered)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert all(each["labelSelector"] == stateful["selector"] for each in spread)


def test_what_cannot_be_changed_later_is_the_same_for_one_host_and_for_several():
    """Kubernetes refuses another value of any other field of a StatefulSet."""
    may_change = {"replicas", "template", "updateStrategy"}
    both = [one("StatefulSet", objects(values))["spec"] for values in (SCALED_OUT, SCALED_OUT | SEVERAL)]
    one_host, several = ({name: each for name, each in spec.items() if name not in may_change} for spec in both)
    assert one_host == several


def test_workers_and_publishers_are_selected_by_themselves_and_get_no_requests():
    rendered = objects(SCALED_OUT | SEVERAL | WATCHED)
    selectors = {
        each["metadata"]["name"]: each["spec"]["selector"]
        for each in rendered
        if each["kind"] in ("Service", "Deployment")
    }
    stateful = one("StatefulSet", rendered)["spec"]
    monitored = one("ServiceMonitor", rendered)["spec"]["selector"]["matchLabels"].items()
    for command in ("work", "publish"):
        deployed = one("Deployment", rendered, f"-{command}")["spec"]
        assert deployed["replicas"] == 2
        labels = deployed["template"]["metadata"]["labels"].items()
        assert deployed["selector"]["matchLabels"].items() <= labels
        assert not deployed["selector"]["matchLabels"].items() <= stateful["template"]["metadata"]["labels"].items()
        assert not stateful["selector"]["matchLabels"].items() <= labels
        for name in ("tapedeck", "tapedeck-operations"):
            assert not selectors[name].items() <= labels
        others = one("NetworkPolicy", rendered, "-others")["spec"]
        assert others["podSelector"]["matchLabels"].items() <= labels
        assert dict(labels)["app.kubernetes.io/name"] in others["podSelector"]["matchExpressions"][0]["values"]
        assert others["ingress"] == [{"ports": [{"port": "operations"}], "from": PEERS}]
        assert container_of(rendered, command)["args"][:2] == ["tapedeck", command]
        asked = one("Service", rendered, f"-{command}")
        assert monitored <= asked["metadata"]["labels"].items()
        assert asked["spec"]["selector"].items() <= labels
    assert "ingress" not in one("NetworkPolicy", objects(SCALED_OUT | SEVERAL), "-others")["spec"]


def test_only_those_who_publish_get_the_settings_of_kafka():
    def have_them(values):
        rendered = objects(values)
        commands = ["serve", *(name for name in ("work", "publish") if f"{name}ers" in values)]
        return [name for name in commands if any("_KAFKA_" in each for each in environment_of(rendered, {}, name))]

    assert have_them(SCALED_OUT) == ["serve"]
    assert have_them(SCALED_OUT | {"workers": {"replicas": 1}}) == ["serve"]
    assert have_them(SCALED_OUT | SEVERAL) == ["publish"]


def test_what_is_off_or_0_for_workers_alone_is_so():
    workers = {"replicas": 1, "settings": {"TAPEDECK_TELL_SPEAKERS": False, "TAPEDECK_DRAIN_SECONDS": 0}}
    settings = SCALED_OUT["settings"] | {"TAPEDECK_TELL_SPEAKERS": True, "TAPEDECK_DRAIN_SECONDS": 10}
    rendered = objects(SCALED_OUT | {"settings": settings, "workers": workers})
    names = ("TAPEDECK_TELL_SPEAKERS", "TAPEDECK_DRAIN_SECONDS")
    its, hosts = environment_of(rendered, {}, "work"), environment_of(rendered)
    assert [its[name] for name in names] == ["false", "0"]
    assert [hosts[name] for name in names] == ["true", "10"]


def test_a_worker_has_settings_of_its_own_and_room_for_its_files():
    rendered = objects(SCALED_OUT | SEVERAL)
    its, hosts = environment_of(rendered, {}, "work"), environment_of(rendered)
    assert (its["TAPEDECK_WORKERS"], hosts["TAPEDECK_WORKERS"]) == ("3", "1")
    assert its["TAPEDECK_TRANSCRIBE_HOURS"] == hosts["TAPEDECK_TRANSCRIBE_HOURS"]
    mounts = {each["name"]: each["mountPath"] for each in container_of(rendered, "work")["volumeMounts"]}
    assert its["TAPEDECK_DATA_DIR"].startswith(f"{mounts['scratch']}/")
    assert {"name": "scratch", "emptyDir": {"sizeLimit": "20Gi"}} in pod_of(rendered, "work")["volumes"]


def test_the_memory_is_enough_for_one_worker_and_what_is_held(monkeypatch):
    """With one worker there are four processes: see "Memory of the worker processes" in the operations guide."""
    rendered = objects({})
    settings = loaded(monkeypatch, environment_of(rendered))
    assert settings.worker_count == 1
    limit = container_of(rendered)["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Gi")) << 30 > 4 * settings.worker_memory_bytes + 2 * settings.held_bytes


def test_a_stop_may_take_as_long_as_the_settings_say_also_if_they_are_unset(monkeypatch):
    for drain, stop in ((0.5, 3_600), (None, None)):
        rendered = objects({"settings": {"TAPEDECK_DRAIN_SECONDS": drain, "TAPEDECK_STOP_SECONDS": stop}})
        with monkeypatch.context() as alone:
            settings = loaded(alone, environment_of(rendered))
        longest = math.ceil(settings.drain_seconds + settings.stop_seconds + CLOSING_SECONDS)
        assert longest <= pod_of(rendered)["terminationGracePeriodSeconds"] <= longest + 20


def test_the_rules_and_the_board_are_the_files_that_others_use_and_the_job_is_called_as_in_the_rules(tmp_path):
    rendered = objects(WATCHED)
    rules = CHART / "monitoring/alerts.yaml"
    assert one("PrometheusRule", rendered)["spec"] == yaml.safe_load(rules.read_text())
    board = CHART / "monitoring/board.json"
    assert json.loads(one("ConfigMap", rendered)["data"]["tapedeck.json"]) == json.loads(board.read_text())
    monitor, service = one("ServiceMonitor", rendered)["spec"], one("Service", rendered, "operations")
    labels = service["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    others = one("Service", rendered, "tapedeck")["metadata"]["labels"]
    assert not monitor["selector"]["matchLabels"].items() <= others.items()
    (job,) = set(re.findall(r'job="(\w+)"', rules.read_text()))
    assert labels[monitor["jobLabel"]] == job
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    packed = helm("package", str(CHART), "--destination", str(tmp_path))
    assert packed.returncode == 0, packed.stderr
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as package:
        assert package.extractfile("tapedeck/monitoring/alerts.yaml").read() == rules.read_bytes()


def test_an_ingress_passes_bodies_on_as_they_arrive_and_waits_as_long_as_the_service(monkeypatch):
    rendered = objects(EXPOSED)
    settings = loaded(monkeypatch, environment_of(rendered))
    ingress = one("Ingress", rendered)
    set_to = {name.rpartition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()}
    assert set_to["proxy-request-buffering"] == set_to["proxy-buffering"] == "off"
    assert set_to["proxy-body-size"] == "0"
    assert min(int(set_to["proxy-read-timeout"]), int(set_to["proxy-send-timeout"])) > settings.chunk_seconds
    assert ingress["spec"]["tls"] == [{"hosts": ["tapedeck.example.com"], "secretName": "tapedeck-tls"}]
    (rule,) = ingress["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "tapedeck", "port": {"name": "http"}}


def test_nobody_reaches_the_operations_port_unless_they_are_named():
    (only,) = one("NetworkPolicy", objects({}))["spec"]["ingress"]
    assert only == {"ports": [{"port": "http"}]}
    spec = one("NetworkPolicy", objects(WATCHED))["spec"]
    assert spec["ingress"][1] == {"ports": [{"port": "operations"}], "from": PEERS}
    assert spec["policyTypes"] == ["Ingress", "Egress"]

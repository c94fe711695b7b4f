"""Values that the chart for Kubernetes is rendered with in the tests, and the parts of what comes of it."""

import re

import pytest

from service.runtime.settings import load_settings

CLOSING_SECONDS = 30
"""What a stop takes beyond its settings."""

PEERS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
IN_SECRETS = {
    "TAPEDECK_DATABASE_URL": {"secret": "tapedeck-database", "key": "url"},
    "AWS_ACCESS_KEY_ID": {"secret": "tapedeck-bucket", "key": "id"},
    "AWS_SECRET_ACCESS_KEY": {"secret": "tapedeck-bucket", "key": "secret"},
}
SCALED_OUT = {
    "settings": {
        "TAPEDECK_BLOB_URL": "s3://recordings/tapes?endpoint=https://bucket.example.com",
        "TAPEDECK_MAX_CHUNK_BYTES": 1_073_741_824,
        "TAPEDECK_TRANSCRIBE_HOURS": 0.5,
        "TAPEDECK_AMBIENT_SESSION_REQUIRED": False,
        "TAPEDECK_KAFKA_BOOTSTRAP_SERVERS": "kafka-0.example.com:9093,kafka-1.example.com:9093",
        "TAPEDECK_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "TAPEDECK_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "TAPEDECK_KAFKA_SASL_USERNAME": "tapedeck",
        "TAPEDECK_KAFKA_SSL_CA": "/etc/tapedeck/kafka/ca.pem",
        "TAPEDECK_ALLOW_LIST": "/etc/tapedeck/dragon/allow-list.toml",
        "AWS_REGION": "us-east-1",
    },
    "secrets": IN_SECRETS | {"TAPEDECK_KAFKA_SASL_PASSWORD": {"secret": "tapedeck-kafka", "key": "password"}},
    "files": [
        {"path": "/etc/tapedeck/kafka", "secret": "tapedeck-kafka-tls"},
        {"path": "/etc/tapedeck/dragon", "configMap": "tapedeck-allow-list"},
    ],
    "persistence": {"storageClass": "fast", "accessMode": "ReadWriteOncePod", "size": "20Gi"},
    "serviceAccount": {"annotations": {"example.com/role": "recordings"}},
}
EXPOSED = {
    "ingress": {"enabled": True, "host": "tapedeck.example.com", "className": "nginx", "tlsSecret": "tapedeck-tls"}
}
WATCHED = {
    "monitoring": {name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "board")},
    "networkPolicy": {"clients": PEERS, "monitoring": PEERS, "egress": [{"to": PEERS, "ports": [{"port": 53}]}]},
}
PLACED = {
    "imagePullSecrets": [{"name": "images"}],
    "podAnnotations": {"example.com/a": "b"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "only", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "networkPolicy": {"enabled": False},
}
SEVERAL = {
    "replicas": 3,
    "hostSecret": "tapedeck-hosts",
    "workers": {"replicas": 2, "settings": {"TAPEDECK_WORKERS": 3}},
    "publishers": {"replicas": 2},
}
"""With SCALED_OUT: pods of each kind."""
WITH_TLS = {"hostSecret": "tapedeck-hosts", "hostTls": {"secret": "tapedeck-host-tls"}}
TRUSTING = {"hostTls": {"secret": "tapedeck-host-tls", "trustOnly": True}}
"""With several hosts: the first step to TLS between them."""

EVERY_SET = pytest.mark.parametrize(
    "values",
    [
        {},
        SCALED_OUT,
        EXPOSED,
        WATCHED,
        PLACED,
        SCALED_OUT | EXPOSED | WATCHED,
        SCALED_OUT | SEVERAL | EXPOSED | WATCHED,
        SCALED_OUT | SEVERAL | PLACED,
        SCALED_OUT | {"hostSecret": "tapedeck-hosts"},
        SCALED_OUT | WITH_TLS,
        SCALED_OUT | SEVERAL | TRUSTING,
    ],
)


def one(kind, rendered, ending=""):
    (found,) = [each for each in rendered if each["kind"] == kind and each["metadata"]["name"].endswith(ending)]
    return found


def pod_of(rendered, command="serve"):
    """The pod that runs a command: a host, a worker or a publisher."""
    if command == "serve":
        return one("StatefulSet", rendered)["spec"]["template"]["spec"]
    return one("Deployment", rendered, f"-{command}")["spec"]["template"]["spec"]


def container_of(rendered, command="serve"):
    (container,) = pod_of(rendered, command)["containers"]
    return container


def environment_of(rendered, secrets=None, command="serve", pod_name="tapedeck-0"):
    """What the container gets. `secrets`: the values of keys, by the names of variables."""
    found = {}
    for variable in container_of(rendered, command)["env"]:
        name, source = variable["name"], variable.get("valueFrom", {})
        assert name not in found
        if "fieldRef" in source:
            assert source["fieldRef"]["fieldPath"] == "metadata.name"
            found[name] = pod_name
        elif "secretKeyRef" in source:
            found[name] = (secrets or {}).get(name, "")
        else:  # what stands before it is put in, as Kubernetes does
            found[name] = re.sub(r"\$\((\w+)\)", lambda named: found[named[1]], variable.get("value", ""))
    return found


def loaded(monkeypatch, environment):
    """The settings that an environment gives. Each name that begins as theirs must be one of them."""
    its_own = {name: value for name, value in environment.items() if name.startswith("TAPEDECK_")}
    for name, value in its_own.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert {name.removeprefix("TAPEDECK_").lower() for name in its_own} <= set(type(settings).model_fields)
    return settings

"""Helm itself, run away from any cluster, and a strict reader of the objects that it makes of the chart."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.left_out import needed
from tests.places import REPOSITORY
from tests.tools.helm.programs import FOLDER, built

CHART = REPOSITORY / "service/runtime/deploy/chart"
SECONDS = 120

Object = dict[str, Any]


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> "subprocess.CompletedProcess[str]":
    """`values`: what `--values -` reads."""
    return subprocess.run(
        [helm_program(), *arguments],
        input=json.dumps(values or {}),
        env=away_from_clusters(),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def away_from_clusters() -> dict[str, str]:
    """The environment of a Helm that knows of no cluster, and of no settings of whoever runs the tests."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
    homes = {f"HELM_{kind}_HOME": str(FOLDER / "home" / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    return others | homes | {"KUBECONFIG": os.devnull}


def objects(values: Mapping[str, Any]) -> list[Object]:
    """What the chart is rendered to with these values. Fails the test if Helm or Kubernetes would refuse."""
    ran = helm("template", "tapedeck", str(CHART), "--namespace", "clinic", "--values", "-", values=values)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return understood(ran.stdout)


def understood(documents: str) -> list[Object]:
    """YAML as Kubernetes understands it. Fails the test for unknown fields, and for a pod with too many rights."""
    ran = read(documents)
    assert ran.returncode == 0, ran.stderr
    found: list[Object] = json.loads(ran.stdout)
    return found


def read(documents: str) -> "subprocess.CompletedProcess[str]":
    """The reader's answer: see `main.go`."""
    return subprocess.run([_programs() / "objects"], input=documents, capture_output=True, text=True, check=False)


def helm_program() -> Path:
    return _programs() / "helm"


def _programs() -> Path:
    """Skips the test where Go is missing; in CI that fails it."""
    return built(needed("go", "renders the chart for Kubernetes with Helm, which it builds"))

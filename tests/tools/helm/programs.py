"""Helm's program and the strict reader of `main.go`: built once with Go and kept in `.helm/`."""

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

from tests.places import REPOSITORY

FOLDER = REPOSITORY / ".helm"
BUILDING_SECONDS = 1_800
HELM = "helm.sh/helm/v3/cmd/helm"
KUBERNETES = (1, 37)
"""That of the modules in go.mod. Helm's own releases are told it when they are linked, too."""

_SOURCES = [Path(__file__), *(Path(__file__).with_name(name) for name in ("main.go", "go.mod", "go.sum"))]


def built(go: str) -> Path:
    """The folder with `helm` and `objects`, built with `go` if it is not there yet: three minutes on two cores."""
    version = hashlib.sha256(b"".join(source.read_bytes() for source in _SOURCES)).hexdigest()[:12]
    folder = FOLDER / version
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:  # the tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = FOLDER / f"{version}.part"
            ran = subprocess.run(
                [go, "build", "-buildvcs=false", f"-ldflags={_linked()}", "-o", f"{unfinished}/", HELM, "."],
                cwd=Path(__file__).parent,
                env=os.environ | {"CGO_ENABLED": "0"},
                capture_output=True,
                text=True,
                check=False,
                timeout=BUILDING_SECONDS,
            )
            assert ran.returncode == 0, ran.stderr
            unfinished.rename(folder)
    return folder


def _linked() -> str:
    major, minor = KUBERNETES
    packages = [f"helm.sh/helm/v3/pkg/{package}" for package in ("chartutil", "lint/rules")]
    versions = [f"-X {each}.k8sVersionMajor={major} -X {each}.k8sVersionMinor={minor}" for each in packages]
    return " ".join(["-s -w", *versions])

"""Helm's program and the strict reader of `main.go`: built once with Go and kept in `.helm/`."""

from pathlib import Path

from tests.places import REPOSITORY
from tests.tools import golang
from tests.tools.kept import kept

FOLDER = REPOSITORY / ".helm"
HELM = "helm.sh/helm/v3/cmd/helm"
KUBERNETES = (1, 37)
"""That of the modules in go.mod. Helm's own releases are told it when they are linked, too."""

_MODULE = Path(__file__).parent


def built(go: str) -> Path:
    """The folder with `helm` and `objects`, built with `go` if it is not there yet: three minutes on two cores.

    Raises: golang.NotBuilt.
    """
    sources = [Path(__file__), *golang.sources_of(_MODULE)]
    return kept(FOLDER, sources, lambda unfinished: golang.build(go, _MODULE, f"{unfinished}/", HELM, linked=_linked()))


def _linked() -> str:
    major, minor = KUBERNETES
    packages = [f"helm.sh/helm/v3/pkg/{package}" for package in ("chartutil", "lint/rules")]
    versions = [f"-X {each}.k8sVersionMajor={major} -X {each}.k8sVersionMinor={minor}" for each in packages]
    return " ".join(["-s -w", *versions])

"""What `/metrics` shows of the projects that keep most bytes: a bounded number of them, however many there are."""

from collections.abc import Iterator
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from adapters.quotas import Quota
from adapters.usage import Usage
from service.application.quotas import Quotas, used_of

PROJECTS_SHOWN = 100

_SHOWN = {
    Quota.BYTES: ("tapedeck_project_bytes", "Bytes that a project's recordings keep"),
    Quota.OPEN_RECORDINGS: ("tapedeck_project_open_recordings", "A project's recordings that are not complete"),
    Quota.RECORDINGS: ("tapedeck_project_recordings", "A project's recordings"),
    Quota.WAITING_NOTES: ("tapedeck_project_waiting_notes", "Notes that a project ordered and that are not written"),
}


class LargestUsers(Protocol):
    def largest(self, limit: int) -> list[tuple[str, Usage]]:
        """The projects that keep most bytes, the largest first."""
        ...


class ProjectMetrics(Collector):
    """Reads what there is whenever the metrics are read. A project without a limit has no series of its quota."""

    def __init__(self, usage: LargestUsers, quotas: Quotas) -> None:
        self._usage = usage
        self._quotas = quotas

    def collect(self) -> Iterator[GaugeMetricFamily]:
        projects = self._usage.largest(PROJECTS_SHOWN)
        for quota, (name, what) in _SHOWN.items():
            used = GaugeMetricFamily(name, f"{what}; of the {PROJECTS_SHOWN} largest projects", labels=["project"])
            most = GaugeMetricFamily(f"{name}_quota", f"The quota of: {what.lower()}", labels=["project"])
            for project_id, usage in projects:
                used.add_metric([project_id], used_of(usage, quota))
                if (limit := self._quotas.most(project_id, quota)) is not None:
                    most.add_metric([project_id], limit)
            yield used
            yield most

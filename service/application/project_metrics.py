"""What `/metrics` shows of the projects that keep most bytes: a bounded number of them, however many there are."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from adapters.database.looking_up import looked_up
from adapters.futures import take_note
from adapters.quotas import Most, Quota
from adapters.sqlite_file import DatabaseUnavailable
from adapters.usage import Usage
from service.application.quotas import Quotas
from service.application.taking import used_of

PROJECTS_SHOWN = 100

ANSWER_SECONDS = 3.0
"""How long who asks for metrics waits for a database."""

_SHOWN = {
    Quota.BYTES: ("tapedeck_project_bytes", "Bytes that a project's recordings keep"),
    Quota.OPEN_RECORDINGS: ("tapedeck_project_open_recordings", "A project's recordings that are not complete"),
    Quota.RECORDINGS: ("tapedeck_project_recordings", "A project's recordings"),
    Quota.WAITING_NOTES: ("tapedeck_project_waiting_notes", "Notes that a project ordered and that are not written"),
}


class Usages(Protocol):
    """See `adapters.usage.UsageStore`."""

    @property
    def answers_at_once(self) -> bool: ...

    def largest(self, limit: int) -> list[tuple[str, Usage]]: ...


class QuotaRows(Protocol):
    """See `adapters.quotas.QuotaStore`."""

    def of_each(self, project_ids: Sequence[str]) -> Sequence[Most]: ...


class ProjectMetrics(Collector):
    """Shows what there was when it looked last. A project without a limit has no series of its quota."""

    def __init__(self, usage: Usages, own: QuotaRows, quotas: Quotas) -> None:
        self._usage = usage
        self._own = own
        self._quotas = quotas
        self._looking: asyncio.Future[list[_Project]] | None = None
        self._found: list[_Project] = []

    async def look(self) -> None:
        """There are no series if the database gives no answer within `ANSWER_SECONDS`."""
        if self._looking is None or self._looking.done():  # else an earlier look is still waiting for its answer
            self._looking = asyncio.ensure_future(looked_up(self._usage, self._look))
            self._looking.add_done_callback(take_note)
        await asyncio.wait([self._looking], timeout=ANSWER_SECONDS)
        self._found = []
        if self._looking.done():
            with suppress(DatabaseUnavailable):  # `/readyz` and the followers say so
                self._found = self._looking.result()

    def _look(self) -> list["_Project"]:
        found = self._usage.largest(PROJECTS_SHOWN)
        own = self._own.of_each([project_id for project_id, _ in found]) if found else ()
        return [_Project(project_id, usage, most) for (project_id, usage), most in zip(found, own, strict=True)]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for quota, (name, what) in _SHOWN.items():
            used = GaugeMetricFamily(name, f"{what}; of the {PROJECTS_SHOWN} largest projects", labels=["project"])
            most = GaugeMetricFamily(f"{name}_quota", f"The quota of: {what.lower()}", labels=["project"])
            for project in self._found:
                used.add_metric([project.id], used_of(project.usage, quota))
                if (limit := self._quotas.most_of(project.own, quota)) is not None:
                    most.add_metric([project.id], limit)
            yield used
            yield most


@dataclass(frozen=True, slots=True)
class _Project:
    id: str
    usage: Usage
    own: Most

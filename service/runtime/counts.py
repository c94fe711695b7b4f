"""The counts of several processes as one, for `/metrics`."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.samples import Sample

Counts = list[tuple[str, str, dict[str, str], float]]
"""Family, sample, labels and value."""

_ADDED_UP = ("counter", "histogram")
_Key = tuple[str, tuple[tuple[str, str], ...]]


def counts_of(registry: CollectorRegistry) -> Counts:
    """All counts of this process."""
    return [
        (family.name, sample.name, dict(sample.labels), sample.value)
        for family in registry.collect()
        if family.type in _ADDED_UP
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]


async def _nobody() -> Sequence[Counts]:
    return ()


@dataclass(slots=True)
class OtherProcesses:
    """Those whose counts are shown with this one's. `counts`: asks them. `serving`: how many serve now."""

    counts: Callable[[], Awaitable[Sequence[Counts]]] = _nobody
    serving: Callable[[], int] = int


class CountsOfEnded:
    """What processes had counted that have ended: a count never becomes smaller."""

    def __init__(self) -> None:
        self._values: dict[_Key, tuple[str, float]] = {}

    def add(self, counts: Counts) -> None:
        for family, name, labels, value in counts:
            key = _key(name, labels)
            _, before = self._values.get(key, (family, 0.0))
            self._values[key] = family, before + value

    @property
    def counts(self) -> Counts:
        return [(family, name, dict(labels), value) for (name, labels), (family, value) in self._values.items()]


@dataclass(frozen=True, slots=True)
class Together:
    """A registry with the counts of other processes added."""

    registry: CollectorRegistry
    others: Iterable[Counts]

    def collect(self) -> Iterator[Metric]:
        further: dict[str, dict[_Key, Sample]] = {}
        for counts in self.others:
            for family, name, labels, value in counts:
                samples, key = further.setdefault(family, {}), _key(name, labels)
                before = samples[key].value if key in samples else 0.0
                samples[key] = Sample(name, labels, before + value)
        for metric in self.registry.collect():
            _add(metric, further.get(metric.name, {}))
            yield metric


def _add(metric: Metric, further: Mapping[_Key, Sample]) -> None:
    own = {_key(sample.name, sample.labels) for sample in metric.samples}
    metric.samples = [
        sample._replace(value=sample.value + further[key].value)
        if (key := _key(sample.name, sample.labels)) in further
        else sample
        for sample in metric.samples
    ]
    metric.samples += [sample for key, sample in further.items() if key not in own]


def _key(name: str, labels: Mapping[str, str]) -> _Key:
    return name, tuple(sorted(labels.items()))

"""The counts of several processes are shown as one process's would be."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.runtime.counts import CountsOfEnded, Together, counts_of


class Process:
    def __init__(self):
        self.registry = CollectorRegistry()
        self.requests = Counter("requests", "Requests", ["route"], registry=self.registry)
        self.seconds = Histogram("seconds", "Seconds", buckets=(1, 2), registry=self.registry)
        self.position = Gauge("position", "Position", registry=self.registry)


@pytest.fixture
def processes():
    return [Process() for _ in range(3)]


def shown(registry, others):
    families = text_string_to_metric_families(generate_latest(Together(registry, others)).decode())
    samples = [sample for family in families for sample in family.samples if not sample.name.endswith("_created")]
    values = {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples}
    assert len(values) == len(samples)
    return values


def test_counts_are_added_up_and_what_is_measured_is_this_process_s_own(processes):
    own, *others = processes
    for number, process in enumerate(processes, 1):
        process.requests.labels("/a").inc(number)
        process.seconds.observe(number)
        process.position.set(number)
    others[0].requests.labels("/b").inc()
    values = shown(own.registry, [counts_of(each.registry) for each in others])
    assert values == {
        ("requests_total", ("route", "/a")): 6,
        ("requests_total", ("route", "/b")): 1,
        ("seconds_bucket", ("le", "1.0")): 1,
        ("seconds_bucket", ("le", "2.0")): 2,
        ("seconds_bucket", ("le", "+Inf")): 3,
        ("seconds_count",): 3,
        ("seconds_sum",): 6,
        ("position",): 1,
    }


def test_what_processes_had_counted_that_have_ended_stays(processes):
    own, *others = processes
    ended = CountsOfEnded()
    for process in others:
        process.requests.labels("/a").inc(2)
        ended.add(counts_of(process.registry))
    assert shown(own.registry, [ended.counts])["requests_total", ("route", "/a")] == 4

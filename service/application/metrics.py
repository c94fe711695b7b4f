"""What `/metrics` shows, in Prometheus' format."""

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """One registry per service, so that several services can run in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        Gauge("tapedeck_build_info", "The version that runs; always 1", ["version"], registry=self.registry).labels(
            version("tapedeck")
        ).set(1)
        self.leads = Gauge(
            "tapedeck_leads",
            "Whether this process does what one process of a service does at a time, 1 or 0",
            registry=self.registry,
        )
        self.commits = Counter("tapedeck_log_commits", "Transactions of the event log", registry=self.registry)
        self.events = Counter("tapedeck_log_events", "Events committed to the event log", registry=self.registry)
        self.events_per_commit = Histogram(
            "tapedeck_log_events_per_commit",
            "How many events shared one transaction",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
            registry=self.registry,
        )
        self.bytes_per_commit = Histogram(
            "tapedeck_log_bytes_per_commit",
            "How many bytes of chunks became durable with one transaction",
            buckets=[4**power * 1024 for power in range(10)],
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "tapedeck_log_commit_seconds",
            "How long one commit took, with the syncing of its bytes",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.commit_failures = Counter(
            "tapedeck_log_commit_failures", "Transactions of the event log that failed", registry=self.registry
        )
        self.chunk_bytes = Counter(
            "tapedeck_chunk_bytes", "Bytes of chunks that were acknowledged", ["dialect"], registry=self.registry
        )
        self.requests = Counter(
            "tapedeck_http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.follower_position = Gauge(
            "tapedeck_follower_position",
            "Log position that a follower has reached",
            ["follower"],
            registry=self.registry,
        )
        self.log_position = Gauge("tapedeck_log_position", "Position of the log's last event", registry=self.registry)
        self.part_ready = Gauge(
            "tapedeck_part_ready", "Whether a part of the service is there, 1 or 0", ["part"], registry=self.registry
        )
        self.jobs = Gauge(
            "tapedeck_jobs", "Jobs that a follower has begun or has in memory", ["follower"], registry=self.registry
        )
        self.oldest_job_seconds = Gauge(
            "tapedeck_oldest_job_seconds",
            "Time since the event that caused a follower's oldest job; 0 without jobs",
            ["follower"],
            registry=self.registry,
        )
        self.held_bytes = Gauge(
            "tapedeck_held_bytes", "Bytes of bodies and answers that are held in memory", registry=self.registry
        )
        self.stage_attempts = Counter(
            "tapedeck_stage_attempts", "Attempts at a stage", ["stage", "outcome"], registry=self.registry
        )

        self.webhook_attempts = Counter(
            "tapedeck_webhook_attempts", "Attempts at a webhook delivery", ["outcome"], registry=self.registry
        )

    def committed(self, _appends: int, events: int) -> None:
        """Count one commit of the event log."""
        self.commits.inc()
        self.events.inc(events)
        self.events_per_commit.observe(events)

    def committed_bytes(self, size_bytes: int) -> None:
        """Count the bytes of one commit of the event log."""
        self.bytes_per_commit.observe(size_bytes)


class PublisherMetrics:
    """The publisher's metrics; they exist only where a publisher runs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.transactions = Counter(
            "tapedeck_publisher_transactions", "Kafka transactions committed", registry=registry
        )
        self.events = Counter("tapedeck_publisher_events", "Events published to Kafka", registry=registry)
        self.aborts = Counter(
            "tapedeck_publisher_aborts", "Kafka transactions abandoned before a confirmed commit", registry=registry
        )
        self.fencings = Counter(
            "tapedeck_publisher_fencings", "Times that Kafka fenced off this publisher for another", registry=registry
        )
        self._lag_events = Gauge(
            "tapedeck_publisher_lag_events", "Events in the log that are not published yet", registry=registry
        )
        self._lag_seconds = Gauge(
            "tapedeck_publisher_lag_seconds", "Age of the oldest event not published yet", registry=registry
        )

    def measure_lag(self, events: Callable[[], float], seconds: Callable[[], float]) -> None:
        """Call these whenever the metrics are read."""
        self._lag_events.set_function(events)
        self._lag_seconds.set_function(seconds)

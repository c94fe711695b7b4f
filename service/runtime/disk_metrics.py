"""What `/metrics` shows of the disks that the service writes to."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.runtime.settings import ServiceSettings


class DiskMetrics(Collector):
    """Looks whenever the metrics are read. A store that is not on a disk of this machine has no series, nor has one
    whose directory is gone."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._places = {"data_dir": settings.data_dir}
        blobs = urlsplit(settings.blob_store_url)
        if blobs.scheme in ("segments", "file"):
            self._places["blob_store"] = Path(unquote(blobs.path))

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Without looking: when this is registered, the directories may not exist yet."""
        yield from self._families()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        size, free = self._families()
        for name, path in self._places.items():
            with suppress(FileNotFoundError):
                disk = shutil.disk_usage(path)
                size.add_metric([name], disk.total)
                free.add_metric([name], disk.free)
        yield from (size, free)

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily("tapedeck_disk_size_bytes", "Size of the disk that a part is on", labels=["part"]),
            GaugeMetricFamily("tapedeck_disk_free_bytes", "What is free of it for this user", labels=["part"]),
        )

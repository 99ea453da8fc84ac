"""The metrics as text, in Prometheus' format."""

import os
from collections.abc import Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from bridge.metrics.folder import FOLDER, forget_the_dead, locked
from bridge.metrics.instruments import PREFIX, Metrics, Reading

CONTENT_TYPE = CONTENT_TYPE_LATEST


class _Readings(Collector):
    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for reading in self._readings:
            family = GaugeMetricFamily(f"{PREFIX}{reading.name}", reading.help, labels=reading.labels)
            for labels, value in reading.values.items():
                family.add_metric(labels, value)
            yield family


def exposition(metrics: Metrics, readings: Iterable[Reading]) -> bytes:
    """What every process of this server has counted and kept, and `readings`, which hold for all of them."""
    read = CollectorRegistry()
    read.register(_Readings(readings))
    folder = os.environ.get(FOLDER)
    if folder is None:
        return generate_latest(metrics.registry) + generate_latest(read)
    with locked(folder):
        forget_the_dead(folder)
        counted = CollectorRegistry()
        MultiProcessCollector(counted, folder)
        return generate_latest(counted) + generate_latest(read)

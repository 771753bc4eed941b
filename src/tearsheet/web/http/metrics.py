"""Prometheus metrics: counters of requests and cache by process, and gauges of the ledger.

Several workers count in files of `PROMETHEUS_MULTIPROC_DIR`; the worker that is scraped adds them up.
Gauges of the ledger are read at the scrape, so that no worker reports an old number.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client import Gauge as LiveGauge
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from tearsheet.web.http.environ_keys import MULTIPROC_DIR

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Counters of one application."""

    def __init__(self) -> None:
        if MULTIPROC_DIR in os.environ:
            Path(os.environ[MULTIPROC_DIR]).mkdir(parents=True, exist_ok=True)
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "tearsheet_request_seconds",
            "Time of requests.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.cache = Counter(
            "tearsheet_cache", "Answers by where they were found.", ("found",), registry=self.registry
        )
        self._children: dict[tuple[str, str, str], Histogram] = {}
        self._cache_counters: dict[str, Counter] = {}
        self.cache_failures = Counter(
            "tearsheet_cache_failures", "Times that the shared cache went down.", registry=self.registry
        )
        self.streams = LiveGauge(
            "tearsheet_event_streams",
            "Event streams that are open.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def observe(self, method: str, route: str, status: str, seconds: float) -> None:
        """Count a request and its duration."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self.requests.labels(*key)
        child.observe(seconds)

    def count_cache_source(self, source: str) -> None:
        """Count an answer by its source: a cache or computed."""
        child = self._cache_counters.get(source)
        if child is None:
            child = self._cache_counters[source] = self.cache.labels(source)
        child.inc()

    def page(self, gauges: list["Gauge"]) -> bytes:
        """Return the page that Prometheus scrapes."""
        counters = self.registry
        if MULTIPROC_DIR in os.environ:
            counters = CollectorRegistry()
            MultiProcessCollector(counters)  # type: ignore[no-untyped-call]
        ledger = CollectorRegistry()
        ledger.register(_GaugeCollector(gauges))
        return generate_latest(counters) + generate_latest(ledger)


class Gauge:
    """A gauge with a value for each set of labels."""

    def __init__(self, name: str, words: str, labels: tuple[str, ...] = ()) -> None:
        self.family = GaugeMetricFamily(f"tearsheet_{name}", words, labels=labels)

    def set(self, value: float, *labels: str) -> "Gauge":
        """Set the value of these labels."""
        self.family.add_metric(labels, value)
        return self


class _GaugeCollector:
    def __init__(self, gauges: list[Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for gauge in self._gauges:
            yield gauge.family

"""What Prometheus is told."""

from __future__ import annotations

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from boilerplate_clf.inference.document import Document

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where several workers put their figures together; prometheus_client reads it when it is imported."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The figures of one app."""

    def __init__(self) -> None:
        """Register all of them."""
        self.registry = registry = CollectorRegistry()
        if MULTIPROCESS_VARIABLE not in os.environ:
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)
        name = "boilerplate_clf"
        self.requests = Counter(
            f"{name}_requests", "Answers, by route and status.", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            f"{name}_request_seconds", "From a request's head to the end of its answer.", ("route",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.in_flight = Gauge(
            f"{name}_in_flight", "Requests that are worked on or wait for the model.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.batch = Histogram(
            f"{name}_batch_documents", "Documents of one call of the model.",
            buckets=_SIZES, registry=registry,
        )  # fmt: skip
        self.documents = Counter(f"{name}_documents", "Documents labelled.", registry=registry)
        self.paragraphs = Counter(
            f"{name}_paragraphs", "Paragraphs labelled, by label.", ("label",), registry=registry
        )

    def count(self, document: Document) -> None:
        """Count a labelled document."""
        self.documents.inc()
        for paragraph in document:
            self.paragraphs.labels(str(paragraph.label)).inc()

    def render(self) -> bytes:
        """Return the page that Prometheus reads; of several workers, their sum."""
        registry = self.registry
        if MULTIPROCESS_VARIABLE in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

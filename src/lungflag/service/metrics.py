"""Metrics for Prometheus. What the ledger knows is counted there; the rest is this process's."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class Metrics:
    """The metrics of one process, in a registry of its own. Safe to share between threads.

    Attributes
    ----------
    registry : CollectorRegistry
        For `prometheus_client.generate_latest`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._refused = Counter(
            "lungflag_refused",
            "Objects that were refused at the door, by door and code.",
            ("via", "code"),
            registry=self.registry,
        )
        self._repeated = Counter(
            "lungflag_repeated",
            "Objects that were there already, by door, and whether their content differed.",
            ("via", "differs"),
            registry=self.registry,
        )

    def refused(self, via: str, code: str) -> None:
        """Count a refused object."""
        self._refused.labels(via, code).inc()

    def repeated(self, via: str, *, differs: bool) -> None:
        """Count an object that was there already."""
        self._repeated.labels(via, "yes" if differs else "no").inc()

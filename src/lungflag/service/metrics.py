"""Metrics for Prometheus.

What came in is counted by the process that took it in. What workers and senders did is read from
the ledger when somebody asks, so that one address tells of all of them.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lungflag.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from prometheus_client.core import Metric

    from lungflag.service.ledger import Arrived, Figures, Judged, Ledger
    from lungflag.service.spool import Spool

_LOG = logging.getLogger(__name__)

# A row may be committed this much later than its time says, and is looked for that long.
_LATE = timedelta(minutes=2)
_SCORES = tuple(n / 20 for n in range(1, 21))
_SHORT = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LONG = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_MIB = 2**20


class Metrics:
    """The metrics of one process, in a registry of its own. Safe to share between threads.

    Attributes
    ----------
    registry : CollectorRegistry
        For `prometheus_client.generate_latest`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._received = Counter(
            "lungflag_received",
            "Objects that were taken in and make new work, by door.",
            ("via",),
            registry=self.registry,
        )
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
        self._intake = Histogram(
            "lungflag_intake_seconds",
            "Time from an object's last byte to its safe storage, by door.",
            ("via",),
            buckets=_SHORT,
            registry=self.registry,
        )

    def received(self, via: str, seconds: float) -> None:
        """Count an object that was taken in, and how long that took."""
        self._received.labels(via).inc()
        self._intake.labels(via).observe(seconds)

    def refused(self, via: str, code: str) -> None:
        """Count a refused object."""
        self._refused.labels(via, code).inc()

    def repeated(self, via: str, *, differs: bool) -> None:
        """Count an object that was there already."""
        self._repeated.labels(via, "yes" if differs else "no").inc()

    def watch(self, ledger: Ledger, spool: Spool) -> None:
        """Tell of the whole service from now on: what the ledger knows, and the disk."""
        self.registry.register(_Watch(ledger, spool))


class _Watch(Collector):
    """Looks into the ledger each time that metrics are asked for."""

    def __init__(self, ledger: Ledger, spool: Spool) -> None:
        self._ledger, self._spool = ledger, spool
        self._lock = Lock()
        self._since: datetime | None = None
        self._counted: dict[tuple[str, int], datetime] = {}
        of_package = ("package", "version")
        self._judged = Counter(
            "lungflag_judged",
            "Instances that were judged, by package and whether they were flagged.",
            (*of_package, "flagged"),
            registry=None,
        )
        self._rejected = Counter(
            "lungflag_rejected",
            "Instances that were rejected, by package and code.",
            (*of_package, "code"),
            registry=None,
        )
        self._score = Histogram(
            "lungflag_probability",
            "Calibrated probability of the findings: its drift is a reason to look.",
            of_package,
            buckets=_SCORES,
            registry=None,
        )
        self._judging = Histogram(
            "lungflag_judging_seconds",
            "Time that judging an instance took.",
            of_package,
            buckets=_SHORT,
            registry=None,
        )
        self._outcome = Histogram(
            "lungflag_outcome_seconds",
            "Time from receiving an instance to its outcome.",
            of_package,
            buckets=_LONG,
            registry=None,
        )
        self._delivery = Histogram(
            "lungflag_delivery_seconds",
            "Time from an outcome to a result's arrival, by target and kind.",
            ("target", "kind"),
            buckets=_LONG,
            registry=None,
        )
        self._look()

    def describe(self) -> list[Metric]:
        """Return nothing: what there is shows when it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield everything, as it is now."""
        free = self._spool.free_mib() * _MIB
        yield GaugeMetricFamily("lungflag_disk_free_bytes", "Room for objects.", value=free)
        with self._lock:
            figures = self._look()
            families = [family for count in self._counts() for family in count.collect()]
        yield from families
        up = float(figures is not None)
        yield GaugeMetricFamily("lungflag_ledger_up", "Whether the ledger answers.", value=up)
        if figures is not None:
            yield from _gauges(figures)

    def _counts(self) -> tuple[Counter | Histogram, ...]:
        found = (self._judged, self._rejected, self._score, self._judging)
        return (*found, self._outcome, self._delivery)

    def _look(self) -> Figures | None:
        """Count what is new in the ledger, and return its figures; None while it is away."""
        try:
            figures = self._ledger.figures(self._since)
        except ServiceError as error:
            _LOG.error("metrics without the ledger", extra={"reason": str(error)})
            return None
        self._count(figures)
        return figures

    def _count(self, figures: Figures) -> None:
        """Count what is new since the first look: as all counters do, from the process's start."""
        for judged in figures.judged:
            if self._is_new("job", judged.job, judged.done_at):
                self._count_judged(judged)
        for arrived in figures.arrived:
            if self._is_new("delivery", arrived.delivery, arrived.done_at):
                self._count_arrived(arrived)
        if self._since is None:
            self._since = figures.now
            return
        self._since = max(self._since, figures.now - _LATE)
        self._counted = {key: at for key, at in self._counted.items() if at > self._since}

    def _is_new(self, kind: str, number: int, at: datetime) -> bool:
        new = (kind, number) not in self._counted
        self._counted[kind, number] = at
        return new

    def _count_judged(self, judged: Judged) -> None:
        package = judged.package, judged.version
        if judged.code is not None:
            self._rejected.labels(*package, judged.code).inc()
        else:
            self._judged.labels(*package, "yes" if judged.flagged else "no").inc()
        if judged.probability is not None:
            self._score.labels(*package).observe(judged.probability)
        if judged.seconds is not None:
            self._judging.labels(*package).observe(judged.seconds)
        waited = (judged.done_at - judged.received_at).total_seconds()
        self._outcome.labels(*package).observe(max(0.0, waited))

    def _count_arrived(self, arrived: Arrived) -> None:
        waited = (arrived.done_at - arrived.created_at).total_seconds()
        self._delivery.labels(arrived.target, arrived.kind).observe(max(0.0, waited))


def _gauges(figures: Figures) -> Iterator[Metric]:
    """Yield what is open at the moment."""
    jobs = GaugeMetricFamily(
        "lungflag_jobs",
        "Instances that are not judged yet.",
        labels=["package", "version", "state"],
    )
    for of_job, n in figures.jobs.items():
        jobs.add_metric(of_job, n)
    yield jobs
    deliveries = GaugeMetricFamily(
        "lungflag_deliveries", "Results that have not arrived.", labels=["target", "state"]
    )
    for of_delivery, n in figures.deliveries.items():
        deliveries.add_metric(of_delivery, n)
    yield deliveries
    oldest = 0.0 if figures.oldest is None else (figures.now - figures.oldest).total_seconds()
    yield GaugeMetricFamily(
        "lungflag_oldest_job_seconds",
        "Age of the oldest instance that is not judged yet.",
        value=max(0.0, oldest),
    )

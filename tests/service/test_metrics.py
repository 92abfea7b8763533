from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine, text

from lungflag.service.metrics import Metrics
from lungflag.service.spool import Spool
from tests.service.rows import (
    OURS,
    PACKAGE,
    VERSION,
    make_deliveries,
    make_finding,
    make_instance,
    make_rejection,
)

if TYPE_CHECKING:
    from lungflag.service.ledger import Ledger, OutcomeRecord
    from lungflag.service.settings import Settings


@pytest.fixture
def metrics(ledger: Ledger, settings: Settings) -> Metrics:
    made = Metrics()
    made.watch(ledger, Spool(settings.folder))
    return made


def _scrape(metrics: Metrics) -> dict[str, float]:
    """Return every sample by its name and labels, as Prometheus reads them."""
    page = generate_latest(metrics.registry).decode()
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _judge(ledger: Ledger, n: int, record: OutcomeRecord, *targets: str) -> None:
    ledger.receive(make_instance(n), **OURS, priority="LOW")
    (job,) = ledger.lease_jobs("w", PACKAGE, VERSION, 1, 60)
    ledger.complete(job, record, make_deliveries(job.id, *targets))


def test_what_the_door_counts(metrics: Metrics) -> None:
    metrics.received("dimse", 0.02)
    metrics.refused("stow", "uid")
    metrics.repeated("dimse", differs=True)
    metrics.repeated("dimse", differs=False)
    seen = _scrape(metrics)
    assert seen["lungflag_received_total dimse"] == 1
    assert seen["lungflag_intake_seconds_sum dimse"] == 0.02
    assert seen["lungflag_refused_total uid stow"] == 1
    assert seen["lungflag_repeated_total yes dimse"] == 1
    assert seen["lungflag_disk_free_bytes"] > 0
    assert seen["process_resident_memory_bytes"] > 0


def test_what_workers_and_senders_did_is_counted_once(ledger: Ledger, metrics: Metrics) -> None:
    _judge(ledger, 1, make_finding(flagged=True), "pacs")
    _judge(ledger, 2, make_finding())
    _judge(ledger, 3, make_rejection())
    ours = f"{PACKAGE} {VERSION}"
    for _ in range(3):  # Prometheus comes again and again
        seen = _scrape(metrics)
        assert seen[f"lungflag_judged_total yes {ours}"] == 1
        assert seen[f"lungflag_judged_total no {ours}"] == 1
        assert seen[f"lungflag_rejected_total lateral {ours}"] == 1
        assert seen[f"lungflag_probability_count {ours}"] == 2
        assert seen[f"lungflag_probability_bucket 0.15 {ours}"] == 1
        assert seen[f"lungflag_probability_bucket 0.75 {ours}"] == 2
        assert seen[f"lungflag_judging_seconds_sum {ours}"] == 0.75
        assert seen[f"lungflag_outcome_seconds_count {ours}"] == 3
        assert seen["lungflag_ledger_up"] == 1
    for delivery in ledger.lease_deliveries("s", "pacs", 9, 60):
        ledger.delivered(delivery)
    _judge(ledger, 4, make_finding())
    seen = _scrape(metrics)
    assert seen[f"lungflag_judged_total no {ours}"] == 2
    assert seen["lungflag_delivery_seconds_count sr pacs"] == 1


def test_what_was_done_before_belongs_to_an_earlier_process(
    ledger: Ledger, settings: Settings
) -> None:
    _judge(ledger, 1, make_finding())
    metrics = Metrics()
    metrics.watch(ledger, Spool(settings.folder))
    assert not [name for name in _scrape(metrics) if name.startswith("lungflag_judged_total")]


def test_what_is_open(ledger: Ledger, metrics: Metrics) -> None:
    _judge(ledger, 1, make_finding(), "pacs", "archive")
    first, _ = ledger.lease_deliveries("s", "pacs", 5, 60)
    ledger.undelivered(first, "refused", None)
    for n in (2, 3, 4):
        ledger.receive(make_instance(n), **OURS, priority="LOW")
    ledger.lease_jobs("w", PACKAGE, VERSION, 1, 60)
    seen = _scrape(metrics)
    assert seen[f"lungflag_jobs {PACKAGE} waiting {VERSION}"] == 2
    assert seen[f"lungflag_jobs {PACKAGE} leased {VERSION}"] == 1
    assert seen["lungflag_deliveries dead pacs"] == 1
    assert seen["lungflag_deliveries leased pacs"] == 1
    assert seen["lungflag_deliveries waiting archive"] == 2
    assert seen["lungflag_oldest_job_seconds"] > 0


def test_a_ledger_that_is_away_is_a_figure_too(
    ledger: Ledger, metrics: Metrics, database_url: str
) -> None:
    _judge(ledger, 1, make_finding())
    assert _scrape(metrics)["lungflag_ledger_up"] == 1
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE deliveries"))
    engine.dispose()
    seen = _scrape(metrics)
    assert seen["lungflag_ledger_up"] == 0
    assert seen[f"lungflag_judged_total no {PACKAGE} {VERSION}"] == 1

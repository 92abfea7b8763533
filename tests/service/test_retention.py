from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lungflag.service.retention import Retention, Swept
from lungflag.service.spool import DAY, Spool
from tests.service.rows import (
    OURS,
    PACKAGE,
    VERSION,
    make_deliveries,
    make_finding,
    make_instance,
)
from tests.service.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.service.ledger import Ledger
    from lungflag.service.settings import Settings

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def spool(settings: Settings) -> Spool:
    return Spool(settings.folder)


@pytest.fixture
def retention(settings: Settings, ledger: Ledger, spool: Spool) -> Retention:
    return Retention(settings, ledger, spool)


def _receive(ledger: Ledger, spool: Spool, n: int, *, days: float, aged: bool = True) -> Path:
    """Take in an instance that is so old. Return its file."""
    stored = spool.put(f"pixels {n}".encode())
    instance = make_instance(
        n,
        path=stored.path,
        sha256=stored.sha256,
        size=stored.size,
        received_at=NOW - timedelta(days=days),
    )
    ledger.receive(instance, **OURS, priority="LOW")
    path = spool.folder / stored.path
    if aged:
        _age(path, 2 * DAY)
    return path


def _age(path: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(path, (at, at))


def _judge(ledger: Ledger, *targets: str) -> None:
    (job,) = ledger.lease_jobs("w", PACKAGE, VERSION, 1, 60)
    assert ledger.complete(job, make_finding(), make_deliveries(job.id, *targets))


def test_old_pixels_go_and_results_stay(ledger: Ledger, spool: Spool, retention: Retention) -> None:
    old, young = (_receive(ledger, spool, n, days=days) for n, days in ((1, 31), (2, 29)))
    _judge(ledger)
    _judge(ledger)
    assert retention.sweep(NOW) == Swept(expired=1, orphans=0)
    assert not old.exists()
    assert young.exists()
    assert retention.sweep(NOW) == Swept(0, 0)
    assert all(row.outcome == make_finding() for row in ledger.recent(5))


def test_what_waits_keeps_its_pixels(ledger: Ledger, spool: Spool, retention: Retention) -> None:
    path = _receive(ledger, spool, 1, days=400)
    assert retention.sweep(NOW) == Swept(0, 0)
    _judge(ledger, "pacs")
    assert retention.sweep(NOW) == Swept(0, 0)
    first, second = ledger.lease_deliveries("s", "pacs", 5, 60)
    ledger.delivered(first)
    assert retention.sweep(NOW) == Swept(0, 0)
    assert path.exists()
    ledger.undelivered(second, "refused", None)
    assert retention.sweep(NOW) == Swept(1, 0)
    assert not path.exists()


def test_zero_days_keep_for_ever(settings: Settings, ledger: Ledger, spool: Spool) -> None:
    path = _receive(ledger, spool, 1, days=4000)
    _judge(ledger)
    assert Retention(replace(settings, keep_days=0), ledger, spool).sweep(NOW) == Swept(0, 0)
    assert path.exists()


def test_objects_without_a_row_go_after_a_day(
    ledger: Ledger, spool: Spool, retention: Retention
) -> None:
    # Stored, and then the process was killed before its row was committed.
    orphans = [spool.folder / spool.put(f"orphan {n}".encode()).path for n in range(1100)]
    needed = _receive(ledger, spool, 1, days=1)
    for path in orphans[1:]:
        _age(path, 2 * DAY)
    assert retention.sweep(NOW) == Swept(0, 1099)
    assert [path.exists() for path in orphans[:3]] == [True, False, False]
    assert needed.exists()


def test_a_file_that_a_crash_left_is_swept_away(
    ledger: Ledger, spool: Spool, retention: Retention
) -> None:
    path = _receive(ledger, spool, 1, days=31)
    _judge(ledger)
    assert ledger.expired("1.2.3.1")  # and then the process was killed
    assert path.exists()
    assert retention.sweep(NOW) == Swept(0, 1)
    assert not path.exists()


def test_pixels_that_just_came_again_stay(
    ledger: Ledger, spool: Spool, retention: Retention
) -> None:
    # Between the row that lets them go and the file, a newer package has asked for them.
    path = _receive(ledger, spool, 1, days=31, aged=False)
    _judge(ledger)
    assert retention.sweep(NOW) == Swept(1, 0)
    assert path.exists()
    instance = replace(make_instance(1), path=str(path.relative_to(spool.folder)))
    assert ledger.receive(instance, package=PACKAGE, version="2", priority="LOW")
    assert retention.sweep(NOW) == Swept(0, 0)
    assert path.exists()


def test_it_runs_in_a_thread_until_it_is_told_to_stop(
    settings: Settings, ledger: Ledger, spool: Spool
) -> None:
    path = spool.folder / spool.put(b"orphan").path
    _age(path, 2 * DAY)
    retention = Retention(settings, ledger, spool)
    retention.start()
    assert retention.alive
    until(lambda: not path.exists())
    retention.stop()
    assert not retention.alive
    Retention(settings, ledger, spool).stop()

"""What the ledger promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lungflag.errors import LedgerError
from lungflag.service.ledger import Expirable, Held
from tests.service.rows import (
    NOON,
    OURS,
    PACKAGE,
    VERSION,
    make_deliveries,
    make_finding,
    make_instance,
    make_rejection,
)

if TYPE_CHECKING:
    from lungflag.service.ledger import Delivery, Job, Ledger


def _receive(ledger: Ledger, n: int, priority: str = "MEDIUM", study: int | None = None) -> bool:
    return ledger.receive(make_instance(n, study=study), **OURS, priority=priority)


def _lease(ledger: Ledger, n: int = 10, seconds: float = 60.0, worker: str = "w") -> list[Job]:
    return ledger.lease_jobs(worker, PACKAGE, VERSION, n, seconds)


def _uids(jobs: list[Job]) -> list[str]:
    return [job.sop_instance_uid.removeprefix("1.2.3.") for job in jobs]


def _judge(ledger: Ledger, n: int, *targets: str, flagged: bool = False) -> Job:
    """Take an instance in, and judge it."""
    _receive(ledger, n)
    (job,) = _lease(ledger)
    assert ledger.complete(job, make_finding(flagged=flagged), make_deliveries(job.id, *targets))
    return job


def _send(ledger: Ledger, target: str = "pacs", seconds: float = 60.0) -> list[Delivery]:
    return ledger.lease_deliveries("s", target, 10, seconds)


# What comes in


def test_an_instance_is_received_once(ledger: Ledger) -> None:
    assert ledger.find("1.2.3.1", **OURS) == Held(None, False, False, False)
    assert _receive(ledger, 1)
    assert not _receive(ledger, 1)
    again = make_instance(1, sha256="0" * 64, patient_name="Other")
    assert not ledger.receive(again, **OURS, priority="HIGH")
    first = make_instance(1)
    assert ledger.instance("1.2.3.1") == first
    assert ledger.find("1.2.3.1", **OURS) == Held(first.sha256, False, True, False)
    assert ledger.queue().jobs_waiting == 1


def test_another_package_version_has_a_job_of_its_own(ledger: Ledger) -> None:
    _judge(ledger, 1)
    assert ledger.find("1.2.3.1", package=PACKAGE, version="2").has_job is False
    assert ledger.receive(make_instance(1), package=PACKAGE, version="2", priority="LOW")
    assert _lease(ledger) == []
    (job,) = ledger.lease_jobs("w", PACKAGE, "2", 5, 60)
    assert job.path == make_instance(1).path
    assert ledger.queue().jobs_done == 1


def test_an_unknown_instance_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="No row"):
        ledger.instance("9.9")


def test_times_are_kept_to_the_microsecond_in_utc(ledger: Ledger) -> None:
    tokyo = datetime(2026, 3, 29, 9, 30, 15, 123456, tzinfo=UTC).astimezone()
    ledger.receive(make_instance(1, received_at=tokyo), **OURS, priority="LOW")
    (job,) = _lease(ledger, seconds=30)
    assert job.received_at == tokyo
    assert job.received_at.tzinfo is UTC
    assert timedelta(seconds=25) < job.lease_until - datetime.now(UTC) <= timedelta(seconds=30)


# Jobs


def test_the_most_urgent_comes_first_then_the_oldest(ledger: Ledger) -> None:
    for n, priority in ((5, "LOW"), (4, "MEDIUM"), (3, "HIGH"), (2, "MEDIUM"), (1, "LOW")):
        _receive(ledger, n, priority)
    assert _uids(_lease(ledger, 4)) == ["3", "2", "4", "1"]
    assert _uids(_lease(ledger, 4)) == ["5"]
    assert _lease(ledger) == []


def test_a_study_rises_with_its_instances_and_never_falls(ledger: Ledger) -> None:
    _receive(ledger, 1, "LOW", study=7)
    _receive(ledger, 2, "MEDIUM", study=8)
    _receive(ledger, 3, "HIGH", study=7)
    _receive(ledger, 4, "LOW", study=7)
    jobs = _lease(ledger)
    assert [(job.priority, n) for job, n in zip(jobs, _uids(jobs), strict=True)] == [
        ("HIGH", "1"),
        ("HIGH", "3"),
        ("HIGH", "4"),
        ("MEDIUM", "2"),
    ]


def test_an_outcome_raises_its_study(ledger: Ledger) -> None:
    for n in (1, 2, 3):
        _receive(ledger, n, "LOW")
    _receive(ledger, 4, "LOW", study=1)
    one, two, three, sibling = _lease(ledger)
    ledger.complete(one, make_finding(flagged=True), [])
    ledger.complete(two, make_finding(), [])
    ledger.complete(three, make_rejection(), [])
    ledger.complete(sibling, make_finding(), [])
    priorities = {row.sop_instance_uid: row.priority for row in ledger.recent(9)}
    assert priorities == {
        "1.2.3.1": "HIGH", "1.2.3.2": "LOW", "1.2.3.3": "MEDIUM", "1.2.3.4": "HIGH"
    }  # fmt: skip


def test_a_lease_that_ran_out_goes_to_the_next_and_its_holder_has_lost(ledger: Ledger) -> None:
    _receive(ledger, 1)
    (lost,) = _lease(ledger, seconds=0, worker="slow")
    (job,) = _lease(ledger, worker="next")
    assert (lost.attempts, job.attempts) == (1, 2)
    ledger.extend([lost], 600)
    ledger.give_back([lost], "slow", 0)
    assert not ledger.complete(lost, make_finding(flagged=True), make_deliveries(1, "pacs"))
    assert ledger.queue().deliveries_waiting == 0
    assert ledger.complete(job, make_finding(), make_deliveries(1, "pacs"))
    assert not ledger.complete(lost, make_finding(flagged=True), make_deliveries(1, "pacs"))
    (row,) = ledger.recent(5)
    assert row.outcome == make_finding()
    assert ledger.queue().deliveries_waiting == 2


def test_who_is_late_but_not_replaced_may_still_complete(ledger: Ledger) -> None:
    _receive(ledger, 1)
    (late,) = _lease(ledger, seconds=0)
    assert ledger.complete(late, make_finding(), [])


def test_completing_twice_writes_once(ledger: Ledger) -> None:
    # Whoever did not hear of its commit has to ask again, and is told that it is done.
    job = _judge(ledger, 1, "pacs")
    assert ledger.complete(job, make_finding(flagged=True), make_deliveries(job.id, "pacs"))
    (row,) = ledger.recent(5)
    assert row.outcome == make_finding()
    assert ledger.queue().deliveries_waiting == 2


def test_a_lease_is_extended(ledger: Ledger) -> None:
    _receive(ledger, 1)
    held = _lease(ledger, seconds=0)
    ledger.extend(held, 60)
    ledger.extend([], 60)
    assert _lease(ledger) == []


def test_a_job_given_back_waits_and_counts(ledger: Ledger) -> None:
    _receive(ledger, 1)
    (job,) = _lease(ledger)
    ledger.give_back([job], "the child died", 600)
    assert _lease(ledger) == []
    assert not ledger.complete(job, make_finding(), [])
    assert ledger.queue().jobs_waiting == 1
    _receive(ledger, 2)
    (job,) = _lease(ledger)
    ledger.give_back([job], "the child died", 0)
    (job,) = _lease(ledger)
    assert job.attempts == 2


def test_a_job_that_was_not_begun_does_not_count(ledger: Ledger) -> None:
    _receive(ledger, 1)
    ledger.give_back(_lease(ledger), "", 0)
    (job,) = _lease(ledger)
    assert job.attempts == 1


def test_what_failed_before_comes_alone(ledger: Ledger) -> None:
    for n in (1, 2, 3, 4):
        _receive(ledger, n)
    held = _lease(ledger, 2)
    ledger.give_back([held[1]], "the child died", 0)
    ledger.give_back([held[0]], "", 0)
    assert _uids(_lease(ledger)) == ["1", "3", "4"]
    assert _uids(_lease(ledger)) == ["2"]


def test_outcomes_come_back_as_they_were_written(ledger: Ledger) -> None:
    _receive(ledger, 1)
    _receive(ledger, 2)
    _receive(ledger, 3)
    one, two = _lease(ledger, 2)
    ledger.complete(one, make_rejection(), [])
    ledger.complete(two, make_finding(flagged=True), [])
    waiting, finding, rejection = ledger.recent(5)
    assert (waiting.state, waiting.outcome) == ("waiting", None)
    assert (finding.state, finding.outcome) == ("done", make_finding(flagged=True))
    assert rejection.outcome == make_rejection()
    assert rejection.patient_id == "ID1"
    assert len(ledger.recent(2)) == 2


def test_an_outcome_is_a_finding_or_a_rejection_and_never_both(ledger: Ledger) -> None:
    _receive(ledger, 1)
    (job,) = _lease(ledger)
    for odd in (
        replace(make_finding(), code="lateral"),
        replace(make_rejection(), probability=0.1, flagged=False),
        replace(make_finding(), probability=None),
    ):
        with pytest.raises(LedgerError, match=r"IntegrityError|either"):
            ledger.complete(job, odd, [])
    assert ledger.queue().jobs_leased == 1


# Deliveries


def test_a_delivery_arrives(ledger: Ledger) -> None:
    job = _judge(ledger, 1, "pacs", "archive", flagged=True)
    first, second = _send(ledger)
    assert (first.kind, second.kind) == ("sr", "sc")
    assert first.path == f"results/{job.id}/sr.dcm"
    assert (first.sop_instance_uid, first.study_instance_uid) == ("1.2.3.1", "1.2.2.1")
    assert (first.attempts, first.priority, first.job_id) == (1, "HIGH", job.id)
    ledger.delivered(first)
    ledger.delivered(first)
    ledger.undelivered(first, "late word", None)
    assert _send(ledger) == []
    queue = ledger.queue()
    assert (queue.deliveries_done, queue.deliveries_leased, queue.deliveries_waiting) == (1, 1, 2)
    assert ledger.dead() == []


def test_a_result_that_comes_back_is_known(ledger: Ledger) -> None:
    job = _judge(ledger, 1, "pacs")
    assert ledger.find(f"2.25.{job.id}.sr", **OURS).is_result
    assert not ledger.find("2.25.99", **OURS).is_result


def test_urgent_studies_are_delivered_first(ledger: Ledger) -> None:
    _judge(ledger, 1, "pacs")
    _judge(ledger, 2, "pacs", flagged=True)
    _judge(ledger, 3, "pacs")
    uids = [delivery.sop_instance_uid for delivery in _send(ledger)]
    assert uids == ["1.2.3.2"] * 2 + ["1.2.3.1"] * 2 + ["1.2.3.3"] * 2


def test_a_delivery_is_tried_again_after_its_pause(ledger: Ledger) -> None:
    _judge(ledger, 1, "pacs")
    first, second = _send(ledger)
    ledger.undelivered(first, "connection refused", 0)
    ledger.undelivered(second, "connection refused", 600)
    (again,) = _send(ledger)
    assert (again.id, again.attempts, again.error) == (first.id, 2, "connection refused")
    ledger.undelivered(first, "an old word", None)  # of a lease that is over
    assert ledger.dead() == []


def test_dead_letters_wait_for_a_person(ledger: Ledger) -> None:
    _judge(ledger, 1, "pacs", "archive")
    for target in ("pacs", "archive"):
        for delivery in _send(ledger, target):
            ledger.undelivered(delivery, "refused: no such patient", None)
    assert _send(ledger) == []
    assert [(d.target, d.kind, d.error) for d in ledger.dead()] == [
        (target, kind, "refused: no such patient")
        for target in ("pacs", "archive")
        for kind in ("sr", "sc")
    ]
    assert ledger.queue().deliveries_dead == 4
    assert ledger.retry_dead("pacs") == 2
    assert [delivery.attempts for delivery in _send(ledger)] == [1, 1]
    assert ledger.retry_dead() == 2
    assert ledger.retry_dead() == 0


def test_a_delivery_whose_sender_died_comes_back(ledger: Ledger) -> None:
    _judge(ledger, 1, "pacs")
    lost = _send(ledger, seconds=0)
    assert [delivery.attempts for delivery in _send(ledger)] == [2, 2]
    ledger.delivered(lost[0])  # it did arrive, whoever says so
    assert ledger.queue().deliveries_done == 1


# Retention


def test_pixels_go_only_when_nothing_waits_for_them(ledger: Ledger) -> None:
    later = NOON + timedelta(hours=1)
    _receive(ledger, 1)
    assert list(ledger.expire(later)) == []
    assert not ledger.expired("1.2.3.1")
    (job,) = _lease(ledger)
    ledger.complete(job, make_finding(), make_deliveries(job.id, "pacs"))
    assert list(ledger.expire(later)) == []
    assert not ledger.expired("1.2.3.1")
    first, second = _send(ledger)
    ledger.delivered(first)
    ledger.undelivered(second, "refused", None)  # a dead letter has its file with the results
    assert list(ledger.expire(NOON)) == []
    assert list(ledger.expire(later)) == [Expirable("1.2.3.1", job.path)]
    assert ledger.expired("1.2.3.1")
    assert not ledger.expired("1.2.3.1")
    assert list(ledger.expire(later)) == []
    assert ledger.find("1.2.3.1", **OURS) == Held(make_instance(1).sha256, True, True, False)
    assert ledger.recent(1)[0].outcome == make_finding()


def test_a_newer_package_brings_expired_pixels_back(ledger: Ledger) -> None:
    _judge(ledger, 1)
    assert ledger.expired("1.2.3.1")
    fresh = make_instance(1, path="objects/new.dcm", sha256="f" * 64, size=5)
    assert ledger.receive(fresh, package=PACKAGE, version="2", priority="LOW")
    assert ledger.instance("1.2.3.1") == fresh
    (job,) = ledger.lease_jobs("w", PACKAGE, "2", 5, 60)
    assert job.path == "objects/new.dcm"
    assert not ledger.expired("1.2.3.1")

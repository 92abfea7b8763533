"""The transactions behind the API, on SQLite and on PostgreSQL."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from lungflag.package import ModelPackage, find_package
from lungflag.service.ledger import Amending, Ledger, NewDelivery
from lungflag.station.api import readings, rows
from lungflag.station.api.changes import Watcher, changed
from lungflag.station.api.idempotency import Answer, Once
from lungflag.station.api.worklist import Filters, Worklist
from lungflag.station.feedback import read_feedback
from lungflag.station.problems import Problem
from lungflag.station.security.principal import LOCAL
from tests.service.conftest import database_url, ledger, postgres
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
    from pathlib import Path

    from lungflag.service.ledger import OutcomeRecord

__all__ = ["database_url", "ledger", "postgres"]


def judge(ledger: Ledger, n: int, record: OutcomeRecord, *, study: int | None = None) -> int:
    ledger.receive(make_instance(n, study=study), **OURS, priority="MEDIUM")
    (job,) = ledger.lease_jobs("w", PACKAGE, VERSION, 1, 60)
    assert ledger.complete(job, record, make_deliveries(job.id, "pacs"))
    return job.id


def say(ledger: Ledger, job: int, reader: str, verdict: str) -> int:
    database = ledger.database
    return database.write(partial(readings.add, database, job, reader, verdict, ""))


def lease(ledger: Ledger) -> Amending:
    amending = ledger.lease_amendment("w", PACKAGE, VERSION, 60)
    assert amending is not None
    return amending


def report(n: int) -> NewDelivery:
    return NewDelivery(target="pacs", kind="sr", path=f"results/1/{n}.dcm", uid=f"2.25.{n}")


def test_amendments_follow_each_other(ledger: Ledger) -> None:
    job = judge(ledger, 1, make_finding(flagged=True))
    other = judge(ledger, 2, make_finding(flagged=True))
    first = say(ledger, job, "ann", "disagree")
    say(ledger, job, "bob", "disagree")
    say(ledger, other, "ann", "disagree")
    amending = lease(ledger)
    assert (amending.job_id, amending.revision) == (job, 1)
    assert [said.reader for said in amending.disagreeing] == ["ann", "bob"]
    elsewhere = lease(ledger)  # not the other one of the same job
    assert elsewhere.job_id == other
    assert ledger.lease_amendment("w", PACKAGE, VERSION, 60) is None
    assert ledger.complete_amendment(amending, [report(1)])
    assert ledger.complete_amendment(amending, [report(1)])  # its commit was not heard of
    second = lease(ledger)
    assert (second.job_id, second.revision) == (job, 2)
    ledger.give_back_amendment(second, "no room", 0.0)
    again = lease(ledger)
    assert (again.id, again.attempts) == (second.id, 2)
    assert not ledger.complete_amendment(second, [report(2)])
    ledger.database.write(partial(readings.undo, ledger.database, first))
    assert ledger.complete_amendment(again, [report(2)])
    third = lease(ledger)
    assert (third.revision, third.withdrawn[0].reader) == (3, "ann")
    assert [said.reader for said in third.disagreeing] == ["bob"]
    sent = ledger.database.read(partial(rows.deliveries_of, job))
    assert [row.revision for row in sent if row.kind == "sr"] == [0, 1, 2]


def test_what_is_undone_while_its_report_is_made_is_due_again(ledger: Ledger) -> None:
    job = judge(ledger, 1, make_finding(flagged=True))
    reading = say(ledger, job, "ann", "disagree")
    amending = lease(ledger)
    ledger.database.write(partial(readings.undo, ledger.database, reading))
    assert ledger.complete_amendment(amending, [report(1)])
    again = lease(ledger)
    assert (again.revision, again.disagreeing) == (2, ())
    assert again.withdrawn[0].reader == "ann"


def test_a_disagreement_after_a_report_is_superseded_though_it_was_undone_at_once(
    ledger: Ledger,
) -> None:
    job = judge(ledger, 1, make_finding(flagged=True))
    say(ledger, job, "ann", "disagree")
    assert ledger.complete_amendment(lease(ledger), [report(1)])
    second = say(ledger, job, "ann", "disagree")
    ledger.database.write(partial(readings.undo, ledger.database, second))
    amending = lease(ledger)
    assert (amending.revision, amending.disagreeing) == (2, ())


def test_the_worklist_follows_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    package = ModelPackage.read(find_package("phantom"))
    worklist = Worklist(ledger.database, package)
    watcher = Watcher(ledger.database, worklist)
    watcher.look()
    empty = worklist.now.version
    watcher.look()
    assert worklist.now.version == empty
    calm = judge(ledger, 1, make_finding())
    flagged = judge(ledger, 2, make_finding(flagged=True))
    judge(ledger, 3, make_rejection(), study=2)
    ledger.receive(make_instance(4), **OURS, priority="HIGH")
    watcher.look()
    snapshot = worklist.now
    assert snapshot.version > empty
    assert [study.uid for study in snapshot.studies] == ["1.2.2.2", "1.2.2.4", "1.2.2.1"]
    lead = snapshot.studies[0].lead
    assert lead is not None
    assert (lead.uid, lead.flagged) == ("1.2.3.2", True)
    say(ledger, calm, "ann", "agree")
    say(ledger, flagged, "ann", "disagree")
    watcher.look()
    assert [study.status for study in worklist.now.studies] == ["waiting", "read", "read"]
    _, body = worklist.page(Filters(q="müller"))
    assert body.count(b'"study":') == 3
    at, _ = ledger.database.read(partial(changed, ledger.database, None, 10))
    _, found = ledger.database.read(partial(changed, ledger.database, at, 10))
    assert set(found) == {"1.2.2.1", "1.2.2.2", "1.2.2.4"}
    labels = [row.label for row in read_feedback(ledger, tmp_path).rows]
    assert sorted(labels) == ["normal", "normal"]


def test_a_request_with_a_key_is_carried_out_once(ledger: Ledger) -> None:
    once = Once(ledger.database, LOCAL, "k", "a")
    assert once.begin() is None
    with pytest.raises(Problem) as running:
        once.begin()
    assert running.value.status_code == 409
    once.end(Answer(201, "{}"))
    assert once.begin() == Answer(201, "{}")
    with pytest.raises(Problem) as other:
        Once(ledger.database, LOCAL, "k", "b").begin()
    assert other.value.status_code == 422
    failed = Once(ledger.database, LOCAL, "k2", "a")
    assert failed.begin() is None
    failed.give_up()
    assert failed.begin() is None

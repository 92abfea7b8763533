"""The ledger against a model of it that fits on a page: any order of calls gives the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import create_engine

from lungflag.service.ledger import Delivery, Job, Ledger, Queue
from lungflag.service.ledger.schema import metadata
from lungflag.service.priority import PRIORITIES, highest, of_outcome
from tests.service.rows import (
    NOON,
    PACKAGE,
    make_deliveries,
    make_finding,
    make_instance,
    make_rejection,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.service.ledger import OutcomeRecord

NUMBERS, STUDIES, VERSIONS = range(5), 2, ("1", "2")
OUTCOMES = (make_finding(), make_finding(flagged=True), make_rejection())
PAUSES = st.sampled_from([0.0, 600.0])  # over at once, or not before the end of the test


@dataclass
class _Work:
    """A job or a delivery of the model."""

    id: int
    attempts: int = 0
    holder: str = ""
    due: bool = True
    state: str = "open"


@dataclass
class _Job(_Work):
    number: int = 0
    version: str = ""
    outcome: OutcomeRecord | None = None


@dataclass
class _Delivery(_Work):
    job: _Job = field(default_factory=lambda: _Job(0))
    target: str = ""
    kind: str = ""


class LedgerMachine(RuleBasedStateMachine):
    """Calls the ledger and the model side by side."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.priorities: dict[int, str] = {}
        self.pixels: dict[int, bool] = {}
        self.jobs: dict[tuple[int, str], _Job] = {}
        self.deliveries: list[_Delivery] = []
        self.leases: list[Job] = []
        self.sendings: list[Delivery] = []
        self.numbers: dict[int, _Job] = {}

    def _raise(self, number: int, priority: str) -> None:
        study = number % STUDIES
        self.priorities[study] = highest(self.priorities.get(study, "LOW"), priority)

    def _rank(self, number: int) -> int:
        return PRIORITIES.index(self.priorities[number % STUDIES])

    @rule(n=st.sampled_from(NUMBERS), v=st.sampled_from(VERSIONS), p=st.sampled_from(PRIORITIES))
    def receive(self, n: int, v: str, p: str) -> None:
        """An instance comes in, new or not."""
        known = (n, v) in self.jobs
        instance = make_instance(n, study=n % STUDIES)
        held = self.ledger.find(instance.sop_instance_uid, package=PACKAGE, version=v)
        assert (held.sha256 is not None, held.has_job) == (n in self.pixels, known)
        assert held.expired == (n in self.pixels and not self.pixels[n])
        new = self.ledger.receive(instance, package=PACKAGE, version=v, priority=p)
        assert new is not known
        self._raise(n, p)
        self.pixels[n] = True
        if new:
            self.jobs[n, v] = _Job(0, number=n, version=v)

    @rule(
        worker=st.sampled_from("ab"),
        v=st.sampled_from(VERSIONS),
        n=st.integers(1, 4),
        seconds=PAUSES,
    )
    def lease(self, worker: str, v: str, n: int, seconds: float) -> None:
        """A worker asks for jobs."""
        due = [
            job
            for job in self.jobs.values()
            if job.state == "open" and job.due and job.version == v
        ]
        due = sorted(due, key=lambda job: (self._rank(job.number), job.number))[:n]
        fresh = [job for job in due if not job.attempts]
        expected = due[:1] if due and due[0].attempts else fresh
        got = self.ledger.lease_jobs(worker, PACKAGE, v, n, seconds)
        assert [job.sop_instance_uid for job in got] == [f"1.2.3.{job.number}" for job in expected]
        for job, real in zip(expected, got, strict=True):
            job.attempts, job.holder, job.due, job.id = (
                job.attempts + 1,
                worker,
                not seconds,
                real.id,
            )
            assert (real.attempts, real.leased_by) == (job.attempts, worker)
            assert PRIORITIES.index(real.priority) == self._rank(job.number)
            self.numbers[job.id] = job
        self.leases += got

    def _held(self, lease: Job) -> _Job | None:
        """Return the model's job if the lease still holds it."""
        job = self.numbers[lease.id]
        held = (job.attempts, job.holder) == (lease.attempts, lease.leased_by)
        return job if held and job.state == "open" else None

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), record=st.sampled_from(OUTCOMES), to=st.sampled_from(["", "x", "xy"]))
    def complete(self, data: st.DataObject, record: OutcomeRecord, to: str) -> None:
        """A worker is done, in time or not, for the first time or again."""
        lease = data.draw(st.sampled_from(self.leases))
        job = self.numbers[lease.id]
        again = job.state == "done" and (job.attempts, job.holder) == (
            lease.attempts,
            lease.leased_by,
        )
        results = make_deliveries(lease.id, *to)
        held = self._held(lease)
        assert self.ledger.complete(lease, record, results) is (held is not None or again)
        if held is not None:
            held.state, held.outcome = "done", record
            self._raise(held.number, of_outcome(record))
            self.deliveries += [
                _Delivery(0, job=held, target=one.target, kind=one.kind) for one in results
            ]

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), error=st.sampled_from(["", "died"]), pause=PAUSES)
    def give_back(self, data: st.DataObject, error: str, pause: float) -> None:
        """A worker gives a job back."""
        lease = data.draw(st.sampled_from(self.leases))
        job = self._held(lease)
        self.ledger.give_back([lease], error, pause)
        if job is not None:
            job.holder, job.due, job.attempts = "", not pause, job.attempts - (not error)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), pause=PAUSES)
    def extend(self, data: st.DataObject, pause: float) -> None:
        """A worker asks for more time, or ends its lease."""
        lease = data.draw(st.sampled_from(self.leases))
        job = self._held(lease)
        self.ledger.extend([lease], pause)
        if job is not None:
            job.due = not pause

    @rule(to=st.sampled_from("xy"), n=st.integers(1, 3), seconds=PAUSES)
    def lease_deliveries(self, to: str, n: int, seconds: float) -> None:
        """A sender asks for deliveries."""
        due = [d for d in self.deliveries if d.target == to and d.state == "open" and d.due]
        due = sorted(due, key=lambda one: self._rank(one.job.number))[:n]
        got = self.ledger.lease_deliveries("s", to, n, seconds)
        assert [(d.job_id, d.kind) for d in got] == [(d.job.id, d.kind) for d in due]
        for one, real in zip(due, got, strict=True):
            one.attempts, one.holder, one.due, one.id = one.attempts + 1, "s", not seconds, real.id
            assert real.attempts == one.attempts
        self.sendings += got

    def _sending(self, data: st.DataObject) -> tuple[Delivery, _Delivery]:
        sending = data.draw(st.sampled_from(self.sendings))
        return sending, next(one for one in self.deliveries if one.id == sending.id)

    @precondition(lambda self: self.sendings)
    @rule(data=st.data())
    def delivered(self, data: st.DataObject) -> None:
        """A delivery has arrived."""
        sending, one = self._sending(data)
        self.ledger.delivered(sending)
        one.state, one.holder = "done", ""

    @precondition(lambda self: self.sendings)
    @rule(data=st.data(), pause=st.sampled_from([0.0, 600.0, None]))
    def undelivered(self, data: st.DataObject, pause: float | None) -> None:
        """A delivery failed."""
        sending, one = self._sending(data)
        held = one.state == "open" and (one.attempts, one.holder) == (sending.attempts, "s")
        self.ledger.undelivered(sending, "refused", pause)
        if held:
            one.holder, one.due = "", not pause
            one.state = "dead" if pause is None else "open"

    @rule(to=st.sampled_from(["x", "y", None]))
    def retry_dead(self, to: str | None) -> None:
        """A person asks for dead letters again."""
        dead = [d for d in self.deliveries if d.state == "dead" and to in (d.target, None)]
        assert self.ledger.retry_dead(to) == len(dead)
        for one in dead:
            one.state, one.due, one.attempts = "open", True, 0

    @rule(go=st.booleans())
    def expire(self, go: bool) -> None:
        """Retention comes by."""
        waiting = {job.number for job in self.jobs.values() if job.state == "open"}
        waiting |= {one.job.number for one in self.deliveries if one.state == "open"}
        free = sorted(n for n, there in self.pixels.items() if there and n not in waiting)
        listed = list(self.ledger.expire(NOON + timedelta(days=1)))
        assert [uid for uid, _ in listed] == [f"1.2.3.{n}" for n in free]
        for n in NUMBERS if go else ():
            assert self.ledger.expired(f"1.2.3.{n}") is (n in free)
            self.pixels.update({n: False} if n in free else {})

    @invariant()
    def the_counts_agree(self) -> None:
        """Nothing is lost, and nothing doubled."""
        jobs, sendings = list(self.jobs.values()), self.deliveries
        assert self.ledger.queue() == Queue(
            jobs_waiting=sum(j.state == "open" and not j.holder for j in jobs),
            jobs_leased=sum(j.state == "open" and bool(j.holder) for j in jobs),
            jobs_done=sum(j.state == "done" for j in jobs),
            deliveries_waiting=sum(d.state == "open" and not d.holder for d in sendings),
            deliveries_leased=sum(d.state == "open" and bool(d.holder) for d in sendings),
            deliveries_done=sum(d.state == "done" for d in sendings),
            deliveries_dead=sum(d.state == "dead" for d in sendings),
        )
        rows = {(row.sop_instance_uid, row.version): row for row in self.ledger.recent(100)}
        assert len(rows) == len(jobs)
        for job in jobs:
            row = rows[f"1.2.3.{job.number}", job.version]
            assert (row.outcome, row.priority) == (
                job.outcome, PRIORITIES[self._rank(job.number)]
            )  # fmt: skip


@pytest.fixture
def machine(ledger: Ledger, database_url: str) -> Iterator[type[LedgerMachine]]:
    """Return a machine that begins with the ledger emptied."""
    engine = create_engine(database_url)

    class Emptied(LedgerMachine):
        def __init__(self) -> None:
            with engine.begin() as connection:
                for table in reversed(metadata.sorted_tables):
                    connection.execute(table.delete())
            super().__init__(ledger)

    yield Emptied
    engine.dispose()


@pytest.mark.slow
def test_any_order_of_calls_agrees_with_the_model(machine: type[LedgerMachine]) -> None:
    thorough = settings().max_examples > 1000  # make proof
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=500 if thorough else 8, stateful_step_count=40),
    )

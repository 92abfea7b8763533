"""Transactions of the jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select, update

from lungflag.service.ledger.intake import raise_priority
from lungflag.service.ledger.rows import Job
from lungflag.service.ledger.schema import deliveries, instances, jobs, outcomes
from lungflag.service.priority import of_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from lungflag.service.ledger.database import Database
    from lungflag.service.ledger.rows import NewDelivery, OutcomeRecord


def lease(
    database: Database,
    worker: str,
    package: str,
    version: str,
    n: int,
    seconds: float,
    connection: Connection,
) -> list[Job]:
    """Take up to `n` jobs."""
    due = connection.execute(
        select(jobs.c.id, jobs.c.attempts)
        .where(
            jobs.c.done_at.is_(None),
            jobs.c.package == package,
            jobs.c.version == version,
            jobs.c.due_at <= database.now(),
        )
        .order_by(jobs.c.priority, jobs.c.received_at, jobs.c.id)
        .limit(n)
        .with_for_update(skip_locked=True)
    ).all()
    if not due:
        return []
    first = due[0].id
    taken = [first] if due[0].attempts else [row.id for row in due if not row.attempts]
    connection.execute(
        update(jobs)
        .where(jobs.c.id.in_(taken))
        .values(attempts=jobs.c.attempts + 1, leased_by=worker, due_at=database.now(seconds))
    )
    rows = connection.execute(
        select(
            jobs.c.id,
            jobs.c.sop_instance_uid,
            jobs.c.package,
            jobs.c.version,
            instances.c.path,
            jobs.c.attempts,
            jobs.c.priority,
            jobs.c.received_at,
            jobs.c.leased_by,
            jobs.c.due_at.label("lease_until"),
            (instances.c.transfer_syntax_uid == "").label("raster"),
        )
        .join(instances)
        .where(jobs.c.id.in_(taken))
        .order_by(jobs.c.priority, jobs.c.received_at, jobs.c.id)
    )
    return [Job(**row._mapping) for row in rows]


def extend(database: Database, held: Sequence[Job], seconds: float, connection: Connection) -> None:
    """Let leases last longer."""
    if held:
        connection.execute(
            update(jobs).where(_still_held(held)).values(due_at=database.now(seconds))
        )


def give_back(
    database: Database,
    held: Sequence[Job],
    error: str,
    retry_after: float,
    connection: Connection,
) -> None:
    """Put jobs back; an attempt that was never begun does not count."""
    if held:
        connection.execute(
            update(jobs)
            .where(_still_held(held))
            .values(
                leased_by=None,
                attempts=jobs.c.attempts if error else jobs.c.attempts - 1,
                error=error[:1000],
                due_at=database.now(retry_after),
            )
        )


def complete(
    database: Database,
    job: Job,
    record: OutcomeRecord,
    results: Sequence[NewDelivery],
    connection: Connection,
) -> bool:
    """Write an outcome with its deliveries and end the job, if it is still the caller's."""
    study = connection.execute(
        select(instances.c.study_instance_uid).where(
            instances.c.sop_instance_uid == job.sop_instance_uid
        )
    ).scalar_one()
    raise_priority(connection, study, "LOW")  # locks the study before the job
    row = connection.execute(
        select(jobs.c.attempts, jobs.c.leased_by, jobs.c.done_at)
        .where(jobs.c.id == job.id)
        .with_for_update()
    ).one()
    if (row.attempts, row.leased_by) != (job.attempts, job.leased_by):
        return False
    if row.done_at is not None:  # by this very lease: its commit was not heard of
        return True
    connection.execute(
        update(jobs).where(jobs.c.id == job.id).values(done_at=database.now(), error="")
    )
    _keep_outcome(job, record, connection)
    priority = raise_priority(connection, study, of_outcome(record))
    for result in results:
        connection.execute(
            database.insert(deliveries).values(
                job_id=job.id,
                target=result.target,
                kind=result.kind,
                path=result.path,
                uid=result.uid,
                priority=priority,
                created_at=database.now(),
                due_at=database.now(),
            )
        )
    return True


def _keep_outcome(job: Job, record: OutcomeRecord, connection: Connection) -> None:
    connection.execute(
        outcomes.insert().values(
            job_id=job.id,
            kind=record.kind,
            probability=record.probability,
            flagged=record.flagged,
            threshold=record.threshold,
            operating_point=record.operating_point,
            age_group=record.age_group,
            marks=None if record.marks is None else list(record.marks),
            code=record.code,
            reason=record.reason,
            seconds=record.seconds,
            decided_at=record.decided_at,
            results=record.results,
            heatmap=record.heatmap,
            heatmap_rows=record.heatmap_rows,
            heatmap_columns=record.heatmap_columns,
            embedding=record.embedding,
            grey_mean=record.grey_mean,
            grey_std=record.grey_std,
        )
    )


def _still_held(held: Sequence[Job]) -> ColumnElement[bool]:
    """Return the condition that a job is open and nobody else took it since."""
    return and_(
        jobs.c.done_at.is_(None),
        or_(
            *(
                and_(
                    jobs.c.id == job.id,
                    jobs.c.attempts == job.attempts,
                    jobs.c.leased_by == job.leased_by,
                )
                for job in held
            )
        ),
    )

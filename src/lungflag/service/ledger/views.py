"""Queries for people and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from lungflag.service.ledger.rows import Instance, OutcomeRecord, Queue, Recent, Stray
from lungflag.service.ledger.schema import deliveries, instances, jobs, outcomes, studies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row


def instance(uid: str, connection: Connection) -> Instance:
    """Return a received instance with what its study says of the patient."""
    row = connection.execute(
        select(
            *(column for column in instances.c if column.name != "expired_at"),
            studies.c.patient_id,
            studies.c.patient_name,
            studies.c.accession_number,
            studies.c.study_date,
            studies.c.patient_sex,
            studies.c.patient_birth_date,
            studies.c.study_time,
            studies.c.institution_name,
            studies.c.study_description,
        )
        .join(studies)
        .where(instances.c.sop_instance_uid == uid)
    ).one()
    return Instance(**row._mapping)


def queue(connection: Connection) -> Queue:
    """Return how many jobs and deliveries are in which state."""
    # Each condition has an index of its own, so that nothing else is looked at.
    open_jobs = jobs.c.done_at.is_(None)
    is_open = deliveries.c.done_at.is_(None) & deliveries.c.dead_at.is_(None)
    waiting, leased = _count_open(connection, jobs.c.leased_by, open_jobs)
    due, sending = _count_open(connection, deliveries.c.leased_by, is_open)
    return Queue(
        jobs_waiting=waiting,
        jobs_leased=leased,
        jobs_done=_count(connection, jobs.c.done_at.is_not(None)),
        deliveries_waiting=due,
        deliveries_leased=sending,
        deliveries_done=_count(connection, deliveries.c.done_at.is_not(None)),
        deliveries_dead=_count(connection, deliveries.c.dead_at.is_not(None)),
    )


def _count_open(
    connection: Connection, leased_by: ColumnElement[Any], is_open: ColumnElement[bool]
) -> tuple[int, int]:
    """Return how many open rows wait, and how many are leased."""
    row = connection.execute(select(func.count(), func.count(leased_by)).where(is_open)).one()
    return row[0] - row[1], row[1]


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).where(condition)).scalar_one()


def strays(
    package: str, version: str, targets: Sequence[str], connection: Connection
) -> list[Stray]:
    """Return what waits for a package version or a target that is not among those given."""
    other = (jobs.c.package != package) | (jobs.c.version != version)
    waiting = connection.execute(
        select(jobs.c.package, jobs.c.version, func.count())
        .where(jobs.c.done_at.is_(None), other)
        .group_by(jobs.c.package, jobs.c.version)
    )
    due = connection.execute(
        select(deliveries.c.target, func.count())
        .where(
            deliveries.c.done_at.is_(None),
            deliveries.c.dead_at.is_(None),
            deliveries.c.target.not_in(targets),
        )
        .group_by(deliveries.c.target)
    )
    return [Stray("package", f"{row[0]} {row[1]}", row[2]) for row in waiting] + [
        Stray("target", row[0], row[1]) for row in due
    ]


def recent(n: int, connection: Connection) -> list[Recent]:
    """Return the last `n` jobs with their outcomes."""
    rows = connection.execute(
        select(
            jobs.c.sop_instance_uid,
            instances.c.study_instance_uid,
            studies.c.patient_id,
            studies.c.accession_number,
            jobs.c.received_at,
            studies.c.priority,
            jobs.c.package,
            jobs.c.version,
            jobs.c.leased_by,
            jobs.c.done_at,
            outcomes,
        )
        .select_from(jobs)
        .join(instances)
        .join(studies)
        .outerjoin(outcomes, outcomes.c.job_id == jobs.c.id)
        .order_by(jobs.c.id.desc())
        .limit(n)
    )
    return [_recent(row) for row in rows]


def _recent(row: Row[*tuple[Any, ...]]) -> Recent:
    return Recent(
        sop_instance_uid=row.sop_instance_uid,
        study_instance_uid=row.study_instance_uid,
        patient_id=row.patient_id,
        accession_number=row.accession_number,
        received_at=row.received_at,
        priority=row.priority,
        package=row.package,
        version=row.version,
        state="done" if row.done_at else "leased" if row.leased_by else "waiting",
        outcome=outcome_of(row) if row.done_at else None,
    )


def outcome_of(row: Row[*tuple[Any, ...]]) -> OutcomeRecord:
    """Return the outcome in a row that has all columns of `outcomes`."""
    return OutcomeRecord(
        kind=row.kind,
        probability=row.probability,
        flagged=row.flagged,
        threshold=row.threshold,
        operating_point=row.operating_point,
        age_group=row.age_group,
        marks=None if row.marks is None else tuple(row.marks),
        code=row.code,
        reason=row.reason,
        seconds=row.seconds,
        decided_at=row.decided_at,
        results=row.results,
        heatmap=row.heatmap,
        heatmap_rows=row.heatmap_rows,
        heatmap_columns=row.heatmap_columns,
    )

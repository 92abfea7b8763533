"""Transactions of the amendments: a reader disagrees, or has taken that back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from lungflag.service.ledger.rows import Amending, Said
from lungflag.service.ledger.schema import amendments, deliveries, jobs, outcomes, readings
from lungflag.service.ledger.views import outcome_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from lungflag.service.ledger.database import Database
    from lungflag.service.ledger.rows import NewDelivery


def due(database: Database, package: str, version: str, connection: Connection) -> int | None:
    """Return an amendment that somebody should take, or None."""
    busy = amendments.alias()
    its_reading = readings.alias()
    another = (
        select(busy.c.id)
        .join(its_reading, its_reading.c.id == busy.c.reading_id)
        .where(
            its_reading.c.job_id == readings.c.job_id,
            busy.c.leased_by.is_not(None),
            busy.c.done_at.is_(None),
            busy.c.due_at > database.now(),
        )
        .exists()
    )
    return connection.scalar(
        select(amendments.c.id)
        .join(readings, readings.c.id == amendments.c.reading_id)
        .join(jobs, jobs.c.id == readings.c.job_id)
        .where(
            amendments.c.done_at.is_(None),
            amendments.c.due_at <= database.now(),
            jobs.c.package == package,
            jobs.c.version == version,
            ~another,  # revisions of one report follow each other
        )
        .order_by(amendments.c.due_at, amendments.c.id)
        .limit(1)
    )


def lease(
    database: Database,
    worker: str,
    package: str,
    version: str,
    seconds: float,
    connection: Connection,
) -> Amending | None:
    """Take an amendment for some seconds."""
    found = due(database, package, version, connection)
    if found is None:
        return None
    taken = connection.execute(
        update(amendments)
        .where(
            amendments.c.id == found,
            amendments.c.done_at.is_(None),
            amendments.c.due_at <= database.now(),
        )
        .values(attempts=amendments.c.attempts + 1, leased_by=worker, due_at=database.now(seconds))
    )
    if not taken.rowcount:
        return None
    row = connection.execute(
        select(
            amendments.c.id,
            amendments.c.attempts,
            amendments.c.leased_by,
            readings.c.id.label("reading_id"),
            readings.c.job_id,
            readings.c.reader,
            readings.c.created_at,
            readings.c.undone_at,
            jobs.c.sop_instance_uid,
            jobs.c.priority,
            outcomes,
        )
        .select_from(amendments)
        .join(readings, readings.c.id == amendments.c.reading_id)
        .join(jobs, jobs.c.id == readings.c.job_id)
        .join(outcomes, outcomes.c.job_id == jobs.c.id)
        .where(amendments.c.id == found)
    ).one()
    return _amending(row, connection)


def complete(
    database: Database,
    amending: Amending,
    results: Sequence[NewDelivery],
    connection: Connection,
) -> bool:
    """End an amendment with its deliveries, unless somebody else has it by now.

    Where the reader has changed the reading meanwhile, it is due again at once.
    """
    row = connection.execute(
        select(amendments.c.revision, amendments.c.done_at, readings.c.undone_at)
        .join(readings, readings.c.id == amendments.c.reading_id)
        .where(_still_held(amending))
    ).one_or_none()
    if row is None:
        return False
    if row.done_at is not None:  # by this very lease: its commit was not heard of
        return True
    same = (row.undone_at is None) == (amending.undone_at is None)
    values: dict[str, Any] = {"revision": amending.revision, "error": ""}
    if same:
        values["done_at"] = database.now()
    else:
        values |= {"leased_by": None, "attempts": 0, "due_at": database.now()}
    connection.execute(update(amendments).where(_still_held(amending)).values(**values))
    for result in results:
        connection.execute(
            database.insert(deliveries)
            .values(
                job_id=amending.job_id,
                target=result.target,
                kind=result.kind,
                revision=amending.revision,
                path=result.path,
                uid=result.uid,
                priority=amending.priority,
                created_at=database.now(),
                due_at=database.now(),
            )
            .on_conflict_do_nothing()
        )
    return True


def give_back(
    database: Database,
    amending: Amending,
    error: str,
    retry_after: float,
    connection: Connection,
) -> None:
    """Put an amendment back that failed."""
    connection.execute(
        update(amendments)
        .where(_still_held(amending), amendments.c.done_at.is_(None))
        .values(leased_by=None, error=error[:1000], due_at=database.now(retry_after))
    )


def _still_held(amending: Amending) -> ColumnElement[bool]:
    return (
        (amendments.c.id == amending.id)
        & (amendments.c.attempts == amending.attempts)
        & (amendments.c.leased_by == amending.leased_by)
    )


def _amending(row: Row[*tuple[Any, ...]], connection: Connection) -> Amending:
    of_job = connection.execute(
        select(func.max(amendments.c.revision))
        .join(readings, readings.c.id == amendments.c.reading_id)
        .where(readings.c.job_id == row.job_id)
    )
    disagreeing = connection.execute(
        select(readings.c.reader, readings.c.created_at, readings.c.comment)
        .where(
            readings.c.job_id == row.job_id,
            readings.c.verdict == "disagree",
            readings.c.undone_at.is_(None),
        )
        .order_by(readings.c.id)
    )
    return Amending(
        id=row.id,
        attempts=row.attempts,
        leased_by=row.leased_by,
        job_id=row.job_id,
        sop_instance_uid=row.sop_instance_uid,
        priority=row.priority,
        revision=1 + (of_job.scalar() or 0),
        created_at=row.created_at,
        undone_at=row.undone_at,
        disagreeing=tuple(Said(*one) for one in disagreeing),
        withdrawn=() if row.undone_at is None else (Said(row.reader, row.undone_at, ""),),
        outcome=outcome_of(row),
    )

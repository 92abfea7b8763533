"""Queries for metrics. They look at what is open or new, so that a long history costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from lungflag.service.ledger.rows import Arrived, Figures, Judged
from lungflag.service.ledger.schema import deliveries, jobs, outcomes

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from lungflag.service.ledger.database import Database

_STATES = {True: "waiting", False: "leased"}


def figures(database: Database, since: datetime | None, connection: Connection) -> Figures:
    """Return the counts at this moment, and what was done since another one."""
    now = connection.execute(select(database.now())).scalar_one()
    return Figures(
        now=now,
        jobs=_jobs(connection),
        deliveries=_deliveries(connection),
        oldest=connection.scalar(
            select(func.min(jobs.c.received_at)).where(jobs.c.done_at.is_(None))
        ),
        judged=() if since is None else _judged(since, connection),
        arrived=() if since is None else _arrived(since, connection),
    )


def _jobs(connection: Connection) -> dict[tuple[str, str, str], int]:
    waits = jobs.c.leased_by.is_(None)
    rows = connection.execute(
        select(jobs.c.package, jobs.c.version, waits, func.count())
        .where(jobs.c.done_at.is_(None))
        .group_by(jobs.c.package, jobs.c.version, waits)
    )
    return {(package, version, _STATES[bool(waits)]): n for package, version, waits, n in rows}


def _deliveries(connection: Connection) -> dict[tuple[str, str], int]:
    waits = deliveries.c.leased_by.is_(None)
    is_open = deliveries.c.done_at.is_(None) & deliveries.c.dead_at.is_(None)
    found = connection.execute(
        select(deliveries.c.target, waits, func.count())
        .where(is_open)
        .group_by(deliveries.c.target, waits)
    )
    dead = connection.execute(
        select(deliveries.c.target, func.count())
        .where(deliveries.c.dead_at.is_not(None))
        .group_by(deliveries.c.target)
    )
    return {(target, _STATES[bool(waits)]): n for target, waits, n in found} | {
        (target, "dead"): n for target, n in dead
    }


def _judged(since: datetime, connection: Connection) -> tuple[Judged, ...]:
    rows = connection.execute(
        select(
            jobs.c.id,
            jobs.c.package,
            jobs.c.version,
            outcomes.c.flagged,
            outcomes.c.code,
            outcomes.c.probability,
            outcomes.c.seconds,
            jobs.c.received_at,
            jobs.c.done_at,
        )
        .join(outcomes)
        .where(jobs.c.done_at > since)
    )
    return tuple(Judged(*row) for row in rows)


def _arrived(since: datetime, connection: Connection) -> tuple[Arrived, ...]:
    rows = connection.execute(
        select(
            deliveries.c.id,
            deliveries.c.target,
            deliveries.c.kind,
            deliveries.c.created_at,
            deliveries.c.done_at,
        ).where(deliveries.c.done_at > since)
    )
    return tuple(Arrived(*row) for row in rows)

"""Transactions of the deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from lungflag.service.ledger.lifetime import keep_message
from lungflag.service.ledger.rows import Delivery
from lungflag.service.ledger.schema import deliveries, instances, jobs

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from lungflag.service.ledger.database import Database

_OPEN = deliveries.c.done_at.is_(None) & deliveries.c.dead_at.is_(None)


def lease(
    database: Database, sender: str, target: str, n: int, seconds: float, connection: Connection
) -> list[Delivery]:
    """Take up to `n` deliveries to a target."""
    due = connection.execute(
        select(deliveries.c.id)
        .where(_OPEN, deliveries.c.target == target, deliveries.c.due_at <= database.now())
        .order_by(deliveries.c.priority, deliveries.c.created_at, deliveries.c.id)
        .limit(n)
        .with_for_update(skip_locked=True)
    )
    taken = list(due.scalars())
    if not taken:
        return []
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(taken))
        .values(attempts=deliveries.c.attempts + 1, leased_by=sender, due_at=database.now(seconds))
    )
    rows = connection.execute(
        _with_facts()
        .where(deliveries.c.id.in_(taken))
        .order_by(deliveries.c.priority, deliveries.c.created_at, deliveries.c.id)
    )
    return [Delivery(**row._mapping) for row in rows]


def delivered(database: Database, delivery: Delivery, message: str, connection: Connection) -> None:
    """Note that a delivery has arrived: a fact, whoever holds the lease by now."""
    noted = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery.id, deliveries.c.done_at.is_(None))
        .values(done_at=database.now(), dead_at=None, leased_by=None, error="")
    )
    if noted.rowcount:
        keep_message(database, message, connection)


def undelivered(
    database: Database,
    delivery: Delivery,
    error: str,
    retry_after: float | None,
    connection: Connection,
) -> None:
    """Note that a delivery failed, unless another sender has taken it since.

    An attempt that was never begun does not count.
    """
    values: dict[str, Any] = {"leased_by": None, "error": error[:1000]}
    if not error:  # it was never begun
        values["attempts"] = deliveries.c.attempts - 1
    if not error:
        values["attempts"] = deliveries.c.attempts - 1
    if retry_after is None:
        values["dead_at"] = database.now()
    else:
        values["due_at"] = database.now(retry_after)
    connection.execute(
        update(deliveries)
        .where(
            _OPEN,
            deliveries.c.id == delivery.id,
            deliveries.c.attempts == delivery.attempts,
            deliveries.c.leased_by == delivery.leased_by,
        )
        .values(**values)
    )


def retry_dead(database: Database, target: str | None, connection: Connection) -> int:
    """Make dead letters due again."""
    revived = update(deliveries).where(deliveries.c.dead_at.is_not(None))
    if target is not None:
        revived = revived.where(deliveries.c.target == target)
    return connection.execute(
        revived.values(dead_at=None, attempts=0, due_at=database.now())
    ).rowcount


def dead(connection: Connection) -> list[Delivery]:
    """Return the dead letters."""
    rows = connection.execute(
        _with_facts()
        .where(deliveries.c.dead_at.is_not(None))
        .order_by(deliveries.c.created_at, deliveries.c.id)
    )
    return [Delivery(**row._mapping) for row in rows]


def _with_facts() -> Select[Any]:
    return (
        select(
            deliveries.c.id,
            deliveries.c.target,
            deliveries.c.kind,
            deliveries.c.path,
            deliveries.c.uid,
            deliveries.c.attempts,
            func.coalesce(deliveries.c.leased_by, "").label("leased_by"),
            deliveries.c.error,
            deliveries.c.created_at,
            deliveries.c.job_id,
            jobs.c.sop_instance_uid,
            instances.c.study_instance_uid,
            jobs.c.package,
            jobs.c.version,
            deliveries.c.priority,
            deliveries.c.revision,
        )
        .join(jobs, jobs.c.id == deliveries.c.job_id)
        .join(instances)
    )

"""Transactions of the audit trail, and of pixels that may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, insert, select, update

from lungflag.service.ledger.rows import Expirable
from lungflag.service.ledger.schema import audit, deliveries, instances, jobs

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from lungflag.service.ledger.database import Database


def keep_message(database: Database, message: str, connection: Connection) -> None:
    """Keep an audit message, unless it is empty."""
    if message:
        connection.execute(insert(audit).values(at=database.now(), message=message))


def expire(before: datetime, connection: Connection) -> list[Expirable]:
    """Return the instances from before a time whose pixels nothing waits for."""
    rows = connection.execute(
        select(instances.c.sop_instance_uid, instances.c.path)
        .where(instances.c.received_at < before, _free())
        .order_by(instances.c.received_at)
    )
    return [Expirable(*row) for row in rows]


def expired(
    database: Database, sop_instance_uid: str, message: str, connection: Connection
) -> bool:
    """Note that an instance's pixels go, if nothing waits for them."""
    # Locked first, so that a new job, which locks it too, is seen by the condition.
    ours = instances.c.sop_instance_uid == sop_instance_uid
    connection.execute(select(instances.c.path).where(ours).with_for_update())
    done = connection.execute(
        update(instances).where(ours, _free()).values(expired_at=database.now())
    )
    if not done.rowcount:
        return False
    keep_message(database, message, connection)
    return True


def needed(digests: Collection[str], connection: Connection) -> set[str]:
    """Return those of the SHA-256 digests whose files a row names."""
    found = connection.scalars(
        select(instances.c.sha256).where(
            instances.c.sha256.in_(digests), instances.c.expired_at.is_(None)
        )
    )
    return set(found)


def _free() -> ColumnElement[bool]:
    """Return the condition that an instance has pixels, and no open job or delivery."""
    of_instance = jobs.c.sop_instance_uid == instances.c.sop_instance_uid
    open_job = exists().where(of_instance, jobs.c.done_at.is_(None))
    open_delivery = exists().where(
        of_instance,
        deliveries.c.job_id == jobs.c.id,
        deliveries.c.done_at.is_(None),
        deliveries.c.dead_at.is_(None),
    )
    return instances.c.expired_at.is_(None) & ~open_job & ~open_delivery

"""Transactions of what comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, select, update

from lungflag.service.ledger.lifetime import keep_message
from lungflag.service.ledger.rows import Held
from lungflag.service.ledger.schema import deliveries, instances, jobs, studies
from lungflag.service.priority import highest

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lungflag.service.ledger.database import Database
    from lungflag.service.ledger.rows import Instance


def find(uid: str, connection: Connection, *, package: str, version: str) -> Held:
    """Return what is known of an instance that comes in."""
    ours = instances.c.sop_instance_uid == uid
    has_job = exists().where(
        jobs.c.sop_instance_uid == uid, jobs.c.package == package, jobs.c.version == version
    )
    row = connection.execute(
        select(
            select(instances.c.sha256).where(ours).scalar_subquery(),
            exists().where(ours, instances.c.expired_at.is_not(None)),
            has_job,
            exists().where(deliveries.c.uid == uid),
        )
    ).one()
    return Held(row[0], *map(bool, row[1:]))


def receive(
    database: Database,
    instance: Instance,
    connection: Connection,
    *,
    package: str,
    version: str,
    priority: str,
    audit: str,
) -> bool:
    """Keep an instance, its study, a job and the audit message. Return whether the job is new."""
    # The study's row comes first, here and where a job ends, so that no two wait for each other.
    priority = _keep_study(database, instance, connection, priority)
    _keep_instance(database, instance, connection)
    added = connection.execute(
        database.insert(jobs)
        .values(
            sop_instance_uid=instance.sop_instance_uid,
            package=package,
            version=version,
            priority=priority,
            received_at=instance.received_at,
            due_at=database.now(),
        )
        .on_conflict_do_nothing()
        .returning(jobs.c.id)
    )
    if added.one_or_none() is None:
        return False
    keep_message(database, audit, connection)
    return True


def _keep_study(
    database: Database, instance: Instance, connection: Connection, priority: str
) -> str:
    """Keep or lock the study, and return its priority, which rises to `priority`."""
    added = connection.execute(
        database.insert(studies)
        .values(
            study_instance_uid=instance.study_instance_uid,
            patient_id=instance.patient_id,
            patient_name=instance.patient_name,
            accession_number=instance.accession_number,
            study_date=instance.study_date,
            patient_sex=instance.patient_sex,
            patient_birth_date=instance.patient_birth_date,
            study_time=instance.study_time,
            institution_name=instance.institution_name,
            study_description=instance.study_description,
            priority=priority,
            received_at=instance.received_at,
        )
        .on_conflict_do_nothing()
    )
    if added.rowcount:
        return priority
    return raise_priority(connection, instance.study_instance_uid, priority)


def raise_priority(connection: Connection, study_instance_uid: str, priority: str) -> str:
    """Lock a study, raise its priority and that of its open work, and return its priority."""
    ours = studies.c.study_instance_uid == study_instance_uid
    before = connection.execute(select(studies.c.priority).where(ours).with_for_update())
    stated: str = before.scalar_one()
    risen = highest(stated, priority)
    if risen != stated:
        connection.execute(update(studies).where(ours).values(priority=risen))
        of_study = select(instances.c.sop_instance_uid).where(
            instances.c.study_instance_uid == study_instance_uid
        )
        ours_too = jobs.c.sop_instance_uid.in_(of_study)
        connection.execute(
            update(jobs).where(ours_too, jobs.c.done_at.is_(None)).values(priority=risen)
        )
        connection.execute(
            update(deliveries)
            .where(
                deliveries.c.job_id.in_(select(jobs.c.id).where(ours_too)),
                deliveries.c.done_at.is_(None),
            )
            .values(priority=risen)
        )
    return risen


def _keep_instance(database: Database, instance: Instance, connection: Connection) -> None:
    file = {
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "sha256": instance.sha256,
        "path": instance.path,
        "size": instance.size,
        "received_at": instance.received_at,
    }
    added = connection.execute(
        database.insert(instances)
        .values(
            sop_instance_uid=instance.sop_instance_uid,
            study_instance_uid=instance.study_instance_uid,
            series_instance_uid=instance.series_instance_uid,
            sop_class_uid=instance.sop_class_uid,
            modality=instance.modality,
            view_position=instance.view_position,
            manufacturer=instance.manufacturer,
            device_model=instance.device_model,
            station_name=instance.station_name,
            body_part=instance.body_part,
            patient_age=instance.patient_age,
            rows=instance.rows,
            columns=instance.columns,
            via=instance.via,
            peer=instance.peer,
            **file,
        )
        .on_conflict_do_nothing()
    )
    if added.rowcount:
        return
    # Locked, so that it does not expire under the new job.
    ours = instances.c.sop_instance_uid == instance.sop_instance_uid
    row = connection.execute(select(instances.c.expired_at).where(ours).with_for_update()).one()
    if row.expired_at is not None:
        connection.execute(update(instances).where(ours).values(**file, expired_at=None))

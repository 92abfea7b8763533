"""The ledger's tables. A change here needs a migration in ``migrations/versions``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from lungflag.service.priority import PRIORITIES

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

HEAD = "0002"
"""The newest migration: the schema that this code reads and writes."""


class UtcTime(TypeDecorator[datetime]):
    """A time, stored as UTC: with time zone on PostgreSQL, without on SQLite, which has none."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column's type on `dialect`."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what is stored for `value`, which has a time zone."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if dialect.name == "postgresql" else value.replace(tzinfo=UTC)


class Priority(TypeDecorator[str]):
    """One of `PRIORITIES`, stored as its rank from 1, so that the database can sort by it."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return the rank of `value`."""
        return None if value is None else 1 + PRIORITIES.index(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the priority's name."""
        return None if value is None else PRIORITIES[value - 1]


# SQLite numbers rows by itself only where the type is INTEGER.
_Id = BigInteger().with_variant(Integer(), "sqlite")
_Uid = String(64)


def _said(name: str) -> Column[str]:
    """Return a column for what a header or a worker may leave unsaid."""
    return Column(name, Text, nullable=False, server_default="")


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

studies = Table(
    "studies",
    metadata,
    Column("study_instance_uid", _Uid, primary_key=True),
    Column("patient_id", Text, nullable=False),
    Column("patient_name", Text, nullable=False),
    Column("accession_number", Text, nullable=False),
    Column("study_date", Text, nullable=False),
    Column("priority", Priority, nullable=False),
    Column("received_at", UtcTime, nullable=False, index=True),
    _said("patient_sex"),
    _said("patient_birth_date"),
    _said("study_time"),
    _said("institution_name"),
    _said("study_description"),
)

instances = Table(
    "instances",
    metadata,
    Column("sop_instance_uid", _Uid, primary_key=True),
    Column(
        "study_instance_uid",
        _Uid,
        ForeignKey("studies.study_instance_uid"),
        nullable=False,
        index=True,
    ),
    Column("series_instance_uid", _Uid, nullable=False),
    Column("sop_class_uid", _Uid, nullable=False),
    Column("transfer_syntax_uid", _Uid, nullable=False),
    Column("modality", Text, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("via", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("expired_at", UtcTime),
    _said("view_position"),
    _said("manufacturer"),
    _said("device_model"),
    _said("station_name"),
    _said("body_part"),
    _said("patient_age"),
    Column("rows", Integer),
    Column("columns", Integer),
)
Index(
    "ix_instances_kept",
    instances.c.received_at,
    sqlite_where=instances.c.expired_at.is_(None),
    postgresql_where=instances.c.expired_at.is_(None),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("sop_instance_uid", _Uid, ForeignKey("instances.sop_instance_uid"), nullable=False),
    Column("package", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("priority", Priority, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text, nullable=False, server_default=""),
    # When the job may be taken: when a lease ends, or a pause after a failure.
    Column("due_at", UtcTime, nullable=False),
    # Null while it waits. Kept when it is done, with attempts: they name the lease that did it.
    Column("leased_by", Text),
    Column("done_at", UtcTime),
    UniqueConstraint("sop_instance_uid", "package", "version"),
)
Index(
    "ix_jobs_open",
    jobs.c.package,
    jobs.c.version,
    jobs.c.priority,
    jobs.c.received_at,
    sqlite_where=jobs.c.done_at.is_(None),
    postgresql_where=jobs.c.done_at.is_(None),
)

Index(
    "ix_jobs_done",
    jobs.c.done_at,
    sqlite_where=jobs.c.done_at.is_not(None),
    postgresql_where=jobs.c.done_at.is_not(None),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("job_id", _Id, ForeignKey("jobs.id"), primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("probability", Float),
    Column("flagged", Boolean),
    Column("threshold", Float),
    Column("operating_point", Text),
    Column("age_group", Text),
    Column("marks", JSON(none_as_null=True)),
    Column("code", Text),
    Column("reason", Text),
    Column("seconds", Float),
    Column("decided_at", UtcTime, nullable=False, index=True),
    # The folder of its results, relative to the service's.
    _said("results"),
    # Little-endian float16, row by row.
    Column("heatmap", LargeBinary),
    Column("heatmap_rows", Integer),
    Column("heatmap_columns", Integer),
    Column("embedding", LargeBinary),
    # Of the preprocessed picture, in 0..1.
    Column("grey_mean", Float),
    Column("grey_std", Float),
    CheckConstraint(
        "(kind = 'finding' AND probability IS NOT NULL AND flagged IS NOT NULL AND code IS NULL)"
        " OR (kind = 'rejection' AND code IS NOT NULL AND probability IS NULL"
        " AND flagged IS NULL)",
        name="either",
    ),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("job_id", _Id, ForeignKey("jobs.id"), nullable=False),
    Column("target", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("uid", Text, nullable=False, index=True),
    Column("priority", Priority, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text, nullable=False, server_default=""),
    Column("created_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("leased_by", Text),
    Column("done_at", UtcTime),
    Column("dead_at", UtcTime),
    # 0 is the detector's own result; superseding ones are numbered from 1 for each job.
    Column("revision", Integer, nullable=False, server_default="0"),
    UniqueConstraint("job_id", "target", "kind", "revision"),
)
Index(
    "ix_deliveries_open",
    deliveries.c.target,
    deliveries.c.priority,
    deliveries.c.created_at,
    deliveries.c.due_at,
    sqlite_where=deliveries.c.done_at.is_(None) & deliveries.c.dead_at.is_(None),
    postgresql_where=deliveries.c.done_at.is_(None) & deliveries.c.dead_at.is_(None),
)
Index(
    "ix_deliveries_done",
    deliveries.c.done_at,
    sqlite_where=deliveries.c.done_at.is_not(None),
    postgresql_where=deliveries.c.done_at.is_not(None),
)
Index(
    "ix_deliveries_dead",
    deliveries.c.target,
    sqlite_where=deliveries.c.dead_at.is_not(None),
    postgresql_where=deliveries.c.dead_at.is_not(None),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("message", Text, nullable=False),
)

# The reading station: who may enter, what they may do again, and what they say.

users = Table(
    "users",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", _Id, ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False, unique=True),
    Column("key_hash", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("last_used_at", UtcTime),
    Column("revoked_at", UtcTime),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    # Null while the first request is at work.
    Column("status", Integer),
    Column("body", Text),
    Column("created_at", UtcTime, nullable=False, index=True),
)

# Nothing is taken back: undoing a reading notes when.
readings = Table(
    "readings",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("job_id", _Id, ForeignKey("jobs.id"), nullable=False, index=True),
    Column("reader", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("comment", Text, nullable=False, server_default=""),
    Column("created_at", UtcTime, nullable=False, index=True),
    Column("undone_at", UtcTime),
    CheckConstraint("verdict IN ('agree', 'disagree', 'unsure')", name="verdict"),
)

amendments = Table(
    "amendments",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("reading_id", _Id, ForeignKey("readings.id"), nullable=False, unique=True),
    # The last report that was made for it; 0 while there is none.
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text, nullable=False, server_default=""),
    Column("due_at", UtcTime, nullable=False),
    Column("leased_by", Text),
    Column("done_at", UtcTime),
)
Index(
    "ix_amendments_open",
    amendments.c.due_at,
    sqlite_where=amendments.c.done_at.is_(None),
    postgresql_where=amendments.c.done_at.is_(None),
)

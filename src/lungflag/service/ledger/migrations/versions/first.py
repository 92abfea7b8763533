"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UID = sa.String(64)
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    _make_studies_and_instances()
    _make_jobs_and_outcomes()
    _make_deliveries()
    op.create_table(
        "audit",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def _make_studies_and_instances() -> None:
    op.create_table(
        "studies",
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("patient_name", sa.Text, nullable=False),
        sa.Column("accession_number", sa.Text, nullable=False),
        sa.Column("study_date", sa.Text, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", name="pk_studies"),
    )
    op.create_index("ix_studies_received_at", "studies", ["received_at"])
    op.create_table(
        "instances",
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("study_instance_uid", _UID, nullable=False),
        sa.Column("series_instance_uid", _UID, nullable=False),
        sa.Column("sop_class_uid", _UID, nullable=False),
        sa.Column("transfer_syntax_uid", _UID, nullable=False),
        sa.Column("modality", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("expired_at", _TIME),
        sa.PrimaryKeyConstraint("sop_instance_uid", name="pk_instances"),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["studies.study_instance_uid"],
            name="fk_instances_study_instance_uid",
        ),
    )
    op.create_index("ix_instances_study_instance_uid", "instances", ["study_instance_uid"])
    op.create_index("ix_instances_sha256", "instances", ["sha256"])
    kept = sa.text("expired_at IS NULL")
    op.create_index(
        "ix_instances_kept",
        "instances",
        ["received_at"],
        sqlite_where=kept,
        postgresql_where=kept,
    )


def _make_jobs_and_outcomes() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("package", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text, nullable=False, server_default=""),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("leased_by", sa.Text),
        sa.Column("done_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"],
            ["instances.sop_instance_uid"],
            name="fk_jobs_sop_instance_uid",
        ),
        sa.UniqueConstraint(
            "sop_instance_uid",
            "package",
            "version",
            name="uq_jobs_sop_instance_uid_package_version",
        ),
    )
    is_open = sa.text("done_at IS NULL")
    op.create_index(
        "ix_jobs_open",
        "jobs",
        ["package", "version", "priority", "received_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    is_done = sa.text("done_at IS NOT NULL")
    op.create_index(
        "ix_jobs_done", "jobs", ["done_at"], sqlite_where=is_done, postgresql_where=is_done
    )
    op.create_table(
        "outcomes",
        sa.Column("job_id", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("probability", sa.Float),
        sa.Column("flagged", sa.Boolean),
        sa.Column("threshold", sa.Float),
        sa.Column("operating_point", sa.Text),
        sa.Column("age_group", sa.Text),
        sa.Column("marks", sa.JSON),
        sa.Column("code", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("seconds", sa.Float),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_outcomes"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_outcomes_job_id"),
        sa.CheckConstraint(
            "(kind = 'finding' AND probability IS NOT NULL AND flagged IS NOT NULL"
            " AND code IS NULL)"
            " OR (kind = 'rejection' AND code IS NOT NULL AND probability IS NULL"
            " AND flagged IS NULL)",
            name=op.f("ck_outcomes_either"),
        ),
    )
    op.create_index("ix_outcomes_decided_at", "outcomes", ["decided_at"])


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("leased_by", sa.Text),
        sa.Column("done_at", _TIME),
        sa.Column("dead_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_deliveries_job_id"),
        sa.UniqueConstraint("job_id", "target", "kind", name="uq_deliveries_job_id_target_kind"),
    )
    op.create_index("ix_deliveries_uid", "deliveries", ["uid"])
    is_open = sa.text("done_at IS NULL AND dead_at IS NULL")
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["target", "priority", "created_at", "due_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    is_done = sa.text("done_at IS NOT NULL")
    op.create_index(
        "ix_deliveries_done",
        "deliveries",
        ["done_at"],
        sqlite_where=is_done,
        postgresql_where=is_done,
    )
    is_dead = sa.text("dead_at IS NOT NULL")
    op.create_index(
        "ix_deliveries_dead",
        "deliveries",
        ["target"],
        sqlite_where=is_dead,
        postgresql_where=is_dead,
    )

"""The reading station: accounts, keys, readings, and what the worklist shows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_TEXTS = {
    "studies": (
        *("patient_sex", "patient_birth_date", "study_time"),
        *("institution_name", "study_description"),
    ),
    "instances": (
        *("view_position", "manufacturer", "device_model"),
        *("station_name", "body_part", "patient_age"),
    ),
    "outcomes": ("results",),
}


def upgrade() -> None:
    """Add what the station needs."""
    for table, names in _TEXTS.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("instances", sa.Column("rows", sa.Integer))
    op.add_column("instances", sa.Column("columns", sa.Integer))
    for column in (
        sa.Column("heatmap", sa.LargeBinary),
        sa.Column("heatmap_rows", sa.Integer),
        sa.Column("heatmap_columns", sa.Integer),
        sa.Column("embedding", sa.LargeBinary),
        sa.Column("grey_mean", sa.Float),
        sa.Column("grey_std", sa.Float),
    ):
        op.add_column("outcomes", column)
    _number_deliveries()
    _make_accounts()
    _make_readings()


def _number_deliveries() -> None:
    """Let a result be delivered again in another revision."""
    # SQLite cannot drop a constraint: the table is copied there.
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.add_column(sa.Column("revision", sa.Integer, nullable=False, server_default="0"))
        deliveries.drop_constraint("uq_deliveries_job_id_target_kind", type_="unique")
        deliveries.create_unique_constraint(
            "uq_deliveries_job_id_target_kind_revision", ["job_id", "target", "kind", "revision"]
        )


def _make_accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("disabled_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "api_keys",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("last_used_at", _TIME),
        sa.Column("revoked_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("prefix", name="uq_api_keys_prefix"),
    )
    op.create_table(
        "idempotency",
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])


def _make_readings() -> None:
    op.create_table(
        "readings",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("undone_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_readings"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_readings_job_id"),
        sa.CheckConstraint(
            "verdict IN ('agree', 'disagree', 'unsure')", name=op.f("ck_readings_verdict")
        ),
    )
    op.create_index("ix_readings_job_id", "readings", ["job_id"])
    op.create_index("ix_readings_created_at", "readings", ["created_at"])
    op.create_table(
        "amendments",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("reading_id", _ID, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text, nullable=False, server_default=""),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("leased_by", sa.Text),
        sa.Column("done_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_amendments"),
        sa.ForeignKeyConstraint(["reading_id"], ["readings.id"], name="fk_amendments_reading_id"),
        sa.UniqueConstraint("reading_id", name="uq_amendments_reading_id"),
    )
    is_open = sa.text("done_at IS NULL")
    op.create_index(
        "ix_amendments_open",
        "amendments",
        ["due_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )

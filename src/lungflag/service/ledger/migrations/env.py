"""Run by Alembic, with the connection and transaction that `lungflag.service.ledger` gives it."""

from __future__ import annotations

from alembic import context

from lungflag.service.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the transaction is the caller's
)
context.run_migrations()

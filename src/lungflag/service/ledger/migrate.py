"""Make the tables, bring older ones up to date, refuse those of another version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

from lungflag.errors import LedgerError
from lungflag.service.ledger.schema import HEAD

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lungflag.service.ledger.database import Database

_ALEMBIC = "alembic_version"
# Any number that nobody else locks: "lungflag" in ASCII.
_LOCK = int.from_bytes(b"lungflag")


def prepare(database: Database, *, create: bool) -> None:
    """Check the schema, or bring it up to date.

    Raises
    ------
    LedgerError
        If it does not fit.
    """
    name = database.url.database
    if database.url.get_backend_name() == "sqlite":
        _check_file(Path(name or ""), create=create)
    revision = database.read(_revision)
    if revision is not None and revision > HEAD:
        raise LedgerError(
            f"the database {name} is from a newer lungflag (schema {revision}; this one has "
            f"{HEAD}): install that one"
        )
    if revision == HEAD:
        return
    if create:
        database.write(_upgrade)
    elif revision is None:
        raise LedgerError(f"the database {name} is empty: run `lungflag check --create`")
    else:
        raise LedgerError(
            f"the database {name} is from an older lungflag (schema {revision}; this one has "
            f"{HEAD}): stop every part of the service, then run `lungflag check --create`"
        )


def _check_file(path: Path, *, create: bool) -> None:
    if not create and not path.is_file():
        raise LedgerError(f"there is no database {path}: run `lungflag check --create`")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"{path.parent}: cannot be made ({error.strerror})") from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_ALEMBIC):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", "lungflag.service.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

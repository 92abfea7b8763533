"""Connections and transactions: how SQLite and PostgreSQL are made to keep what they are given."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event, func, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError, SQLAlchemyError

from lungflag.errors import LedgerError, SpoolFullError
from lungflag.service.ledger.schema import UtcTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import URL, ColumnElement, Connection, Engine, Table
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext

Result = TypeVar("Result")

BUSY_SECONDS = 30.0
"""How long a transaction waits for another one on SQLite."""
AWAY_SECONDS = 30.0
"""How long an operation waits for a PostgreSQL server that has gone away."""

_DRIVERS = {"sqlite": "pysqlite", "postgresql": "pg8000"}
_WRITES = "lungflag_writes"
# Classes and codes of SQLSTATE after which the connection is of no use: connection exceptions,
# and the server's administrator at work (shutdown, crash, start).
_GONE = ("08", "57P")
# After which the same transaction may succeed: serialisation, deadlock, too many connections.
_AGAIN = ("40001", "40P01", "53300")


class Database:
    """Transactions on one database, from any thread.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql+pg8000://USER:PASSWORD@HOST/NAME``. With
        ``?sslrootcert=FILE`` the server has to prove who it is.
    away_seconds : float
        How long an operation waits for a server that has gone away.

    Raises
    ------
    LedgerError
        If `url` names no such database.
    """

    def __init__(self, url: str, *, away_seconds: float = AWAY_SECONDS) -> None:
        self.url = _parse(url)
        self._away_seconds = away_seconds
        self.engine = _engine(self.url)

    @property
    def on_postgresql(self) -> bool:
        """Whether this is PostgreSQL; else it is SQLite."""
        return self.engine.dialect.name == "postgresql"

    def read(self, work: Callable[[Connection], Result], *, patient: bool = True) -> Result:
        """Run `work` in a transaction that only reads.

        Without being `patient` it does not wait for a server that has gone away.
        """
        return self._run(work, writes=False, patient=patient)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction, and return after it was committed to the disk.

        Where a PostgreSQL server goes away, `work` runs again, even if nobody can tell whether the
        first run was committed: it has to be idempotent.

        Raises
        ------
        LedgerError
            If the database cannot be used, or stays away. Nothing may be taken for committed.
        SpoolFullError
            If the disk under it is full.
        """
        return self._run(work, writes=True, patient=True)

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """Return an INSERT that knows ON CONFLICT."""
        return postgresql.insert(table) if self.on_postgresql else sqlite.insert(table)

    def now(self, seconds: float = 0.0) -> ColumnElement[datetime]:
        """Return the time in `seconds`, by the one clock that all processes agree on.

        That is the server's on PostgreSQL, so that machines with wrong clocks do no harm, and this
        machine's on SQLite, where all processes run on it.
        """
        if not self.on_postgresql:
            return literal(datetime.now(UTC) + timedelta(seconds=seconds), UtcTime)
        pause = func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        return func.statement_timestamp(type_=UtcTime) + pause

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _run(self, work: Callable[[Connection], Result], *, writes: bool, patient: bool) -> Result:
        deadline, pause = time.monotonic() + (self._away_seconds if patient else 0.0), 0.05
        while True:
            try:
                with self.engine.connect().execution_options(**{_WRITES: writes}) as connection:
                    return _in_transaction(connection, work)
            except (SQLAlchemyError, OSError) as error:
                if not _transient(error) or time.monotonic() + pause > deadline:
                    raise _in_words(error) from error
            time.sleep(pause)
            pause = min(2 * pause, 1.0)


def _in_transaction(connection: Connection, work: Callable[[Connection], Result]) -> Result:
    with connection.begin():
        result = work(connection)
    return result  # noqa: RET504  not before the commit


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise LedgerError("the setting database is no URL") from error
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise LedgerError(
            f"the database is {parsed.get_backend_name()}, not sqlite or postgresql+pg8000"
        )
    return parsed.set(drivername=f"{parsed.get_backend_name()}+{driver}")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        # Parameters are patient data: no message may hold them.
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # Without authorities pg8000 encrypts where the server can, and believes any server.
    trusted = _trusting(url.query.get("sslrootcert"))
    url = url.difference_update_query(["sslrootcert"])
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        connect_args={"timeout": 30, "application_name": "lungflag", "ssl_context": trusted},
    )
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "handle_error", _tell_gone)
    return engine


def _trusting(authorities: str | tuple[str, ...] | None) -> ssl.SSLContext | None:
    if not isinstance(authorities, str):
        return None
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise LedgerError(f"sslrootcert {authorities}: cannot be used ({error})") from error


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    # The driver shall not begin transactions by itself: `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later could meet another one's write between, which
    # no waiting resolves. One that writes takes the lock at its beginning.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(connection: DBAPIConnection, _record: object) -> None:
    # A commit that returns before it is on the disk would let an acknowledged object be lost.
    cursor = connection.cursor()
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') = 'off'"
    )
    cursor.close()
    connection.commit()


def _tell_gone(context: ExceptionContext) -> None:
    """Let the pool drop a connection that the server has ended, or that broke while reading."""
    cause = context.original_exception
    if isinstance(cause, OSError) or _state(cause).startswith(_GONE):
        context.is_disconnect = True


def _transient(error: Exception) -> bool:
    if isinstance(error, OSError):  # pg8000 lets some of the socket's errors through
        return not isinstance(error, ssl.SSLCertVerificationError)
    if isinstance(error, InvalidRequestError):  # the pool's word, after it reconnected in vain
        return "connection is closed" in str(error)
    if not isinstance(error, DBAPIError):
        return False
    state = _state(error.orig)
    lost = error.connection_invalidated or "a connection to host" in str(error.orig)
    return lost or state.startswith(_GONE) or state in _AGAIN


def _state(error: BaseException | None) -> str:
    """Return the SQLSTATE of one of pg8000's errors, empty where it has none."""
    fields: Any = error.args[0] if error is not None and error.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


def _in_words(error: Exception) -> LedgerError | SpoolFullError:
    """Say in a line what went wrong, without values: they are patient data."""
    cause = getattr(error, "orig", None) or error
    if getattr(cause, "sqlite_errorname", "") == "SQLITE_FULL" or _state(cause) == "53100":
        return SpoolFullError("no room on the disk of the ledger")
    fields: Any = cause.args[0] if cause.args else ""
    if isinstance(cause, OSError):
        fields = cause.strerror or str(cause)
    message = fields.get("M", "") if isinstance(fields, dict) else str(fields).split("\n")[0]
    return LedgerError(f"the ledger cannot be used: {type(cause).__name__}: {message}"[:300])

"""What a database is told to do with what it is given, and what happens when it cannot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from lungflag.errors import LedgerError, SpoolFullError
from lungflag.service.ledger import Ledger
from lungflag.service.ledger.database import Database
from tests.service.disks import small_disk
from tests.service.rows import OURS, make_instance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.service.postgres import Postgres


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def test_sqlite_syncs_every_commit(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    found = database.read(
        lambda c: [
            c.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    assert found == ["wal", 2, 1]
    database.close()


def test_postgresql_syncs_every_commit_even_where_it_was_told_not_to(postgres: Postgres) -> None:
    url = postgres.new_url()
    engine = create_engine(url)
    with engine.begin() as connection:
        name = connection.engine.url.database
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    engine.dispose()
    database = Database(url)
    setting = "SELECT current_setting('synchronous_commit')"
    assert database.read(lambda c: c.scalar(text(setting))) == "on"
    database.close()


def test_the_name_of_the_service_shows_on_the_server(postgres: Postgres) -> None:
    database = Database(postgres.emptied_url())
    assert database.read(lambda c: c.scalar(text("SHOW application_name"))) == "lungflag"
    database.close()


def test_what_fails_is_undone(database: Database) -> None:
    database.write(lambda c: c.execute(text("CREATE TABLE t (n INTEGER)")))

    def fail(connection: Connection) -> None:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        database.write(fail)
    assert database.read(lambda c: c.scalar(text("SELECT count(*) FROM t"))) == 0


def test_a_deadlock_is_tried_again(postgres: Postgres) -> None:
    database = Database(postgres.emptied_url())
    database.write(lambda c: c.execute(text("CREATE TABLE t (k INTEGER PRIMARY KEY, n INTEGER)")))
    database.write(lambda c: c.execute(text("INSERT INTO t VALUES (1, 0), (2, 0)")))
    met, runs = Barrier(2), [0, 0]

    def work(order: int, connection: Connection) -> None:
        runs[order] += 1
        first, second = ((1, 2), (2, 1))[order]
        add = text("UPDATE t SET n = n + 1 WHERE k = :key")
        connection.execute(add, {"key": first})
        if runs[order] == 1:  # both hold what the other one wants
            met.wait(timeout=20)
        connection.execute(add, {"key": second})

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(database.write, lambda c, n=n: work(n, c)) for n in range(2)]:
            future.result()
    assert database.read(lambda c: c.scalar(text("SELECT sum(n) FROM t"))) == 4
    assert sum(runs) == 3
    database.close()


def test_a_full_disk_under_the_ledger_is_told_apart(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "size=4m") as disk,
        Ledger.open(f"sqlite:///{disk / 'ledger.db'}", create=True) as ledger,
    ):
        kept = 0
        try:
            while True:
                ledger.receive(make_instance(kept), **OURS, priority="LOW")
                kept += 1
        except SpoolFullError as error:
            refusal = str(error)
        assert refusal == "no room on the disk of the ledger"
        assert kept > 50
        assert ledger.find(f"1.2.3.{kept - 1}", **OURS).has_job
        assert ledger.find(f"1.2.3.{kept}", **OURS).sha256 is None
        assert ledger.queue().jobs_waiting == kept


def test_an_error_is_one_line_without_values(database: Database) -> None:
    database.write(lambda c: c.execute(text("CREATE TABLE t (name TEXT UNIQUE)")))
    statement = text("INSERT INTO t VALUES (:name)")
    database.write(lambda c: c.execute(statement, {"name": "SECRET"}))
    with pytest.raises(LedgerError) as caught:
        database.write(lambda c: c.execute(statement, {"name": "SECRET"}))
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)

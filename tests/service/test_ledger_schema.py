"""The tables are those of the migrations, and a ledger of another version is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from lungflag.errors import LedgerError
from lungflag.service.ledger import Ledger
from lungflag.service.ledger.database import Database
from lungflag.service.ledger.schema import HEAD, metadata

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


def _set_revision(url: str, revision: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :new"), {"new": revision})
    engine.dispose()


def test_the_migrations_make_the_tables_of_the_schema(ledger: Ledger, database_url: str) -> None:
    assert ledger.queue().jobs_done == 0
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        checks = connection.dialect.get_check_constraints(connection, "outcomes")
        assert [check["name"] for check in checks] == ["ck_outcomes_either"]
    engine.dispose()


def test_the_newest_migration_is_the_one_that_the_code_wants() -> None:
    config = Config()
    config.set_main_option("script_location", str(files("lungflag.service.ledger") / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_an_older_ledger_keeps_its_rows(database_url: str) -> None:
    database = Database(database_url)
    database.write(lambda connection: _upgrade(connection, "0001"))
    database.write(_fill)
    database.close()
    with Ledger.open(database_url, create=True) as ledger:
        assert ledger.queue().deliveries_waiting == 1
        with ledger.database.engine.connect() as connection:
            assert connection.execute(text("SELECT revision FROM deliveries")).scalar() == 0
            assert connection.execute(text("SELECT patient_sex FROM studies")).scalar() == ""
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "lungflag.service.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _fill(connection: Connection) -> None:
    now = "'2026-01-01 00:00:00'"
    for line in (
        f"studies VALUES ('1.2', 'P', 'N', 'A', '', 1, {now})",
        (
            "instances VALUES ('1.3', '1.2', '1.4', '1.5', '1.6', 'DX', 's', 'p', 3, 'dimse', 'x', "
            f"{now}, NULL)"
        ),
        f"jobs VALUES (1, '1.3', 'p', '1', 1, {now}, 0, '', {now}, NULL, NULL)",
        (
            f"deliveries VALUES (7, 1, 't', 'sr', 'p', '1.9', 1, 0, '', {now}, {now}, NULL, NULL, "
            "NULL)"
        ),
    ):
        connection.execute(text(f"INSERT INTO {line}"))


def test_making_it_twice_changes_nothing(ledger: Ledger, database_url: str) -> None:
    ledger.audit("<one/>")
    with Ledger.open(database_url, create=True) as again:
        assert again.queue() == ledger.queue()


def test_many_may_make_it_at_once(database_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(lambda _: Ledger.open(database_url, create=True), range(6)))
    for ledger in opened:
        assert ledger.queue().jobs_waiting == 0
        ledger.close()


def test_an_empty_database_says_what_to_do(database_url: str) -> None:
    with pytest.raises(LedgerError, match=r"run `lungflag check --create`"):
        Ledger.open(database_url)


def test_a_ledger_of_another_version_is_refused(ledger: Ledger, database_url: str) -> None:
    ledger.close()
    _set_revision(database_url, "0000")
    with pytest.raises(LedgerError, match=r"is from an older lungflag .* stop every part"):
        Ledger.open(database_url)
    _set_revision(database_url, "9999")
    for create in (False, True):
        with pytest.raises(LedgerError, match="is from a newer lungflag"):
            Ledger.open(database_url, create=create)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "is no URL"),
        ("mysql://host/name", "the database is mysql, not sqlite or postgresql"),
        ("sqlite://", "run `lungflag check --create`"),
        ("postgresql://h/n?sslrootcert=/nowhere", "sslrootcert /nowhere: cannot be used"),
    ],
)
def test_a_wrong_url_is_one_line(url: str, reason: str) -> None:
    with pytest.raises(LedgerError, match=reason):
        Ledger.open(url, away_seconds=0)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"file/below: cannot be made"):
        Ledger.open(f"sqlite:///{tmp_path / 'file' / 'below' / 'ledger.db'}", create=True)


def test_a_damaged_file_is_an_error_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerError, match="file is not a database"):
        Ledger.open(f"sqlite:///{path}", create=True)
    assert path.read_bytes() == b"no database at all" * 100


def test_what_the_database_says_of_values_is_not_repeated(
    ledger: Ledger, database_url: str
) -> None:
    # A broken constraint makes PostgreSQL name the row, which is patient data.
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE deliveries"))
        connection.execute(text("DROP TABLE outcomes"))
    engine.dispose()
    with pytest.raises(LedgerError) as caught:
        ledger.find("1.2.3.SECRET", package="p", version="1")
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)

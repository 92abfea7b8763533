"""What every test of the service may ask for: settings, a ledger on either database, objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lungflag.service.ledger import Ledger
from lungflag.service.settings import Settings, load_settings
from tests.service.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a running PostgreSQL server, one for the session; ask it for fresh databases."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database: once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.emptied_url()


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """Return a ledger on either database."""
    with Ledger.open(database_url, create=True) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a service in a temporary folder, on SQLite."""
    flags = {"folder": tmp_path / "service", "model": "phantom", "keep_free_mib": 0}
    return load_settings(None, {}, flags)

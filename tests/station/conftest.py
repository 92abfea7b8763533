"""What every test of the station may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lungflag.service.ledger import Ledger
from tests.station.desk import desk_settings, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.station.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a station where sign-in is needed."""
    with open_desk(desk_settings(tmp_path / "service")) as opened:
        yield opened


@pytest.fixture
def open_door(tmp_path: Path) -> Iterator[Desk]:
    """Return a station on loopback, where nobody signs in."""
    with open_desk(desk_settings(tmp_path / "service", station_sign_in="auto")) as opened:
        yield opened


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger of its own."""
    with Ledger.open(f"sqlite:///{tmp_path / 'alone.db'}", create=True) as opened:
        yield opened

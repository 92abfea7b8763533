from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.station.api.reading_room import judging, serving
from tests.station.desk import desk_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.station.api.reading_room import Room


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Room]:
    """Return a station where nobody judges."""
    with serving(desk_settings(tmp_path / "service", upload_mib=1)) as room:
        yield room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Return a station with a worker."""
    with serving(desk_settings(tmp_path / "service")) as opened, judging(opened):
        yield opened

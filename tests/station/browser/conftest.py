"""Debian's Chromium, and one station with a day's studies that tests which only look share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.conftest import tool
from tests.station.browser.stations import (
    ADMIN,
    ADMINS,
    PASSWORD,
    READER,
    Station,
    day,
    running_station,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return a running Chromium."""
    # Chromium's sandbox refuses to run as root, as containers do.
    words = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tool("chromium"), args=words)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """Return a station with a day's studies, a reader and an administrator."""
    folder = tmp_path_factory.mktemp("station")
    with running_station(folder) as one:
        one.add_person(READER, PASSWORD, "reader")
        one.add_person(ADMIN, ADMINS, "admin")
        one.receive(*day(folder / "films"))
        yield one

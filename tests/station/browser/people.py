"""What people do in front of the station."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.station.browser.stations import PASSWORD, READER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

STUDY = re.compile(r"/studies/[\d.]+$")


@contextmanager
def opened(
    chromium: Browser, url: str, *, width: int = 1280, theme: str = "dark"
) -> Iterator[Page]:
    """Open a page in a browser of its own; nothing may go wrong in its console."""
    context = chromium.new_context(
        base_url=url,
        viewport={"width": width, "height": 844 if width < 600 else 800},
        color_scheme="light" if theme == "light" else "dark",
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None,
    )
    try:
        yield page
        assert not wrong
    finally:
        context.close()


def sign_in(page: Page, name: str = READER, password: str = PASSWORD) -> None:
    """Sign in with the mouse and the keyboard; ends on the page that was asked for."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Worklist", exact=True)).to_be_visible()


def rows(page: Page) -> Locator:
    """Return the rows of the worklist."""
    return page.get_by_role("list", name="Studies, the most urgent first").get_by_role("listitem")


def whole_picture(page: Page) -> None:
    """Wait until the whole film is on the screen."""
    expect(page.locator("[data-picture=full]")).to_be_attached()


def window_of(page: Page) -> str:
    """Return centre and width of the window on the screen."""
    return str(page.locator("[data-window]").get_attribute("data-window"))


def press_until(page: Page, key: str, target: Locator, most: int = 60) -> None:
    """Press a key, as often as it takes, until the focus is there."""
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead there")

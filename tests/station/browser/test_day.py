"""The radiologist's day: by mouse, by keyboard alone, and with the station restarted in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.station.browser.people import (
    STUDY,
    opened,
    press_until,
    rows,
    sign_in,
    whole_picture,
    window_of,
)
from tests.station.browser.stations import (
    PASSWORD,
    READER,
    Station,
    day,
    free_port,
    running_station,
)

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.slow


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    return tmp_path


def prepared(station: Station, folder: Path) -> Station:
    station.add_person(READER, PASSWORD, "reader")
    station.receive(*day(folder / "films"))
    return station


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def test_the_day_by_mouse(chromium: Browser, fresh: Path) -> None:
    with running_station(fresh) as station, opened(chromium, prepared(station, fresh).url) as page:
        page.goto("/")
        sign_in(page)
        expect(rows(page)).to_have_count(5)
        first = rows(page).first
        expect(first).to_contain_text("Flagged")
        expect(rows(page).filter(has_text="Not judged")).to_have_count(1)

        page.goto("/quality")
        before = page.locator("main").inner_text()
        page.goto("/")

        first.get_by_role("link").click()
        expect(page).to_have_url(STUDY)
        whole_picture(page)
        result = card(page, "Result")
        expect(result).to_contain_text("threshold")

        window = window_of(page)
        stage = page.locator(".stage").bounding_box()
        assert stage
        x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 80, y - 60, steps=6)
        page.mouse.up()
        expect(page.locator("[data-window]")).not_to_have_attribute("data-window", window)

        slider = page.get_by_label("Opacity of the heatmap")
        slider.fill("10")
        expect(slider).to_have_attribute("aria-valuetext", "10 per cent")

        reading = card(page, "My reading")
        reading.get_by_label(re.compile("Comment")).fill("Skin fold, not a consolidation")
        reading.get_by_role("button", name=re.compile("Disagree")).click()
        expect(result).to_contain_text("A reader disagrees")
        expect(reading.get_by_label("Readings so far")).to_contain_text("Skin fold")
        expect(result.get_by_text("supersedes the first")).to_be_visible(timeout=60_000)

        address = page.url
        reading.get_by_role("button", name=re.compile("Next study")).click()
        expect(page).not_to_have_url(address)
        expect(page).to_have_url(STUDY)
        whole_picture(page)

        page.get_by_role("link", name="Worklist", exact=True).click()
        expect(rows(page).filter(has_text=f"Disagrees · {READER}")).to_have_count(1)
        page.get_by_role("link", name="Quality", exact=True).click()
        expect(page.locator("main")).not_to_have_text(before)
        expect(page.locator("main")).to_contain_text(re.compile("disagree", re.IGNORECASE))


def test_the_day_by_keyboard_alone(chromium: Browser, fresh: Path) -> None:
    with running_station(fresh) as station, opened(chromium, prepared(station, fresh).url) as page:
        press = page.keyboard.press
        page.goto("/")
        name = page.get_by_label("Name")
        expect(name).to_be_visible()
        press_until(page, "Tab", name)
        page.keyboard.type(READER)
        press("Tab")
        page.keyboard.type(PASSWORD)
        press("Enter")
        expect(rows(page)).to_have_count(5)

        press("?")
        expect(page.get_by_label("Keyboard shortcuts").last).to_contain_text("Next study")
        press("Escape")
        press("j")
        expect(rows(page).first.get_by_role("link")).to_be_focused()
        press("Enter")
        expect(page).to_have_url(STUDY)
        whole_picture(page)

        window = window_of(page)
        press("Shift+ArrowUp")
        expect(page.locator("[data-window]")).not_to_have_attribute("data-window", window)
        for key in ("i", "r", "x", "+", "ArrowLeft", "f", "w"):
            press(key)
        slider = page.get_by_label("Opacity of the heatmap")
        expect(slider).to_have_value("45")
        press("[")
        expect(slider).to_have_value("35")
        press("]")
        expect(slider).to_have_value("45")

        press("c")
        page.keyboard.type("Vessels only")  # with a d and an n in it, which must stay letters
        press("Escape")
        press("d")
        result = card(page, "Result")
        expect(result).to_contain_text("A reader disagrees")
        expect(page.get_by_role("status").last).to_contain_text("saved")
        press("z")
        expect(result).not_to_contain_text("A reader disagrees")
        press("u")
        expect(page.get_by_label("Readings so far")).to_contain_text("unsure")

        address = page.url
        press("n")
        expect(page).not_to_have_url(address)
        whole_picture(page)
        press("p")
        expect(page).to_have_url(address)
        press("g")
        expect(rows(page)).to_have_count(5)
        expect(rows(page).filter(has_text=f"Unsure · {READER}")).to_have_count(1)
        press("q")
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Quality"))


def test_the_day_with_the_station_restarted_in_it(chromium: Browser, fresh: Path) -> None:
    port = free_port()
    with running_station(fresh, station_port=port) as station:
        url = prepared(station, fresh).url
        context = opened(chromium, url)
        page = context.__enter__()
        page.goto("/")
        sign_in(page)
        rows(page).first.get_by_role("link").click()
        whole_picture(page)
        page.get_by_label(re.compile("Comment")).fill("Given while the station was down")
    try:
        expect(page.locator(".connection")).to_have_text("Reconnecting")
        page.keyboard.press("Escape")
        page.keyboard.press("d")
        expect(page.get_by_text("Not saved yet").first).to_be_visible()
        with running_station(fresh, station_port=port):
            # Still signed in, nothing typed again, and the reading arrives once.
            expect(card(page, "Result")).to_contain_text("A reader disagrees", timeout=30_000)
            expect(page.locator(".connection")).to_have_text("Live", timeout=30_000)
            readings = page.get_by_label("Readings so far").get_by_role("listitem")
            expect(readings).to_have_count(1)
            expect(readings).to_contain_text("Given while the station was down")
            page.keyboard.press("n")
            whole_picture(page)
            page.keyboard.press("g")
            expect(rows(page).filter(has_text=f"Disagrees · {READER}")).to_have_count(1)
    finally:
        context.__exit__(None, None, None)

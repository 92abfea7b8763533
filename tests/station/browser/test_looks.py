"""Every page in both themes: accessible, light, and no wider than the screen."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from tests.station.browser.people import opened, rows, sign_in, whole_picture
from tests.station.browser.stations import ADMIN, ADMINS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.station.browser.stations import Station

pytestmark = pytest.mark.slow

LIMIT = 500_000  # bytes of the whole worklist, pictures too


def serious(page: Page) -> list[str]:
    """Return axe-core's serious and critical violations, with where they are."""
    found = Axe().run(page).response
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_page_has_a_serious_violation(
    chromium: Browser, station: Station, theme: str, width: int
) -> None:
    with opened(chromium, station.url, width=width, theme=theme) as page:

        def check(what: str) -> None:
            assert not serious(page), what
            assert page.evaluate("document.documentElement.scrollWidth") <= width, what

        page.goto("/")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        check("sign in")
        sign_in(page, ADMIN, ADMINS)
        expect(rows(page)).to_have_count(5)
        check("worklist")
        page.get_by_role("searchbox").fill("nobody has this name")
        expect(page.get_by_role("heading", name="No study matches")).to_be_visible()
        check("nothing found")
        page.goto("/")
        rows(page).first.get_by_role("link").click()
        whole_picture(page)
        check("viewer")
        page.keyboard.press("?")
        check("shortcuts")
        page.goto("/")
        rows(page).filter(has_text="Not judged").get_by_role("link").click()
        whole_picture(page)
        check("viewer of a rejection")
        for path in ("/quality", "/accounts", "/nowhere"):
            page.goto(path)
            expect(page.locator("main").get_by_role("heading").first).to_be_visible()
            page.wait_for_load_state("load")
            check(path)


def test_the_worklist_is_light(chromium: Browser, station: Station) -> None:
    with opened(chromium, station.url) as page:
        page.goto("/")
        sign_in(page)
        protocol = page.context.new_cdp_session(page)
        protocol.send("Network.enable")
        protocol.send("Network.clearBrowserCache")
        sizes: list[float] = []
        protocol.on(
            "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
        )
        page.reload()
        expect(rows(page)).to_have_count(5)
        pictures = page.locator("img.thumbnail")
        expect(pictures).to_have_count(4)
        page.wait_for_function(
            "() => [...document.querySelectorAll('img.thumbnail')].every(i => i.naturalWidth)"
        )
        assert 10_000 < sum(sizes) < LIMIT


def test_patients_can_be_hidden_and_names_with_markup_stay_text(
    chromium: Browser, station: Station
) -> None:
    with opened(chromium, station.url) as page:
        page.goto("/")
        sign_in(page)
        expect(page.locator("main")).to_contain_text("SYNTHETIC")
        page.get_by_role("button", name="Hide patient data").click()
        expect(page.get_by_role("button", name="Hide patient data")).to_have_attribute(
            "aria-pressed", "true"
        )
        names = page.locator(".cell-patient")
        for name in names.all_inner_texts():
            assert "PHANTOM" not in name
            assert "BLANK" not in name.upper()
        rows(page).first.get_by_role("link").click()
        whole_picture(page)
        assert "PHANTOM-" not in page.locator("main").inner_text()
        page.reload()
        whole_picture(page)
        assert "PHANTOM-" not in page.locator("main").inner_text()


def test_a_key_can_be_changed_and_is_kept(chromium: Browser, station: Station) -> None:
    with opened(chromium, station.url) as page:
        page.goto("/")
        sign_in(page)
        expect(rows(page)).to_have_count(5)
        page.keyboard.press("?")
        page.get_by_role("button", name="Next row: J, change").click()
        page.keyboard.press("s")
        expect(page.get_by_role("button", name="Next row: S, change")).to_be_visible()
        page.keyboard.press("Escape")
        page.reload()
        expect(rows(page)).to_have_count(5)
        page.keyboard.press("s")
        expect(rows(page).first.get_by_role("link")).to_be_focused()


@pytest.mark.parametrize("renderer", ["webgl", "canvas"])
def test_both_ways_of_drawing_show_the_same_film(
    chromium: Browser, station: Station, renderer: str
) -> None:
    with opened(chromium, station.url) as page:
        page.goto("/")
        sign_in(page)
        link = rows(page).first.get_by_role("link").get_attribute("href")
        page.goto(f"{link}?renderer={renderer}")
        whole_picture(page)
        expect(page.locator(f"[data-renderer={renderer}]")).to_be_attached()
        page.keyboard.press("m")
        before = greys(page)
        # The chest in the middle is brighter than the lungs beside it.
        assert before[2] > before[1] + 20
        assert before[2] > before[3] + 20
        page.keyboard.press("i")
        expect(page.locator(".bottom-left")).to_contain_text("inverted")
        for grey, inverted in zip(before, greys(page), strict=True):
            assert abs(255 - grey - inverted) <= 3


def greys(page: Page) -> list[float]:
    """Return mean greys of five patches across the middle of the film."""
    stage = page.locator(".stage")
    with Image.open(BytesIO(stage.screenshot())) as image:
        pixels = np.asarray(image.convert("L"), dtype=float)
    rows_, columns = pixels.shape
    side = min(rows_, columns)
    left, row = (columns - side) // 2, round(rows_ * 0.42)
    places = [left + round(side * share) for share in (0.02, 0.27, 0.5, 0.73, 0.98)]
    return [float(pixels[row - 4 : row + 4, x - 4 : x + 4].mean()) for x in places]

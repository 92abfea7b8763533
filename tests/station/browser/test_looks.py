"""Every page in both themes: accessible, light, and no wider than the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
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


def test_without_a_graphics_processor_the_picture_is_drawn_all_the_same(
    chromium: Browser, station: Station
) -> None:
    with opened(chromium, station.url) as page:
        page.goto("/")
        sign_in(page)
        link = rows(page).first.get_by_role("link").get_attribute("href")
        page.goto(f"{link}?renderer=canvas")
        whole_picture(page)
        expect(page.locator("[data-renderer=canvas]")).to_be_attached()
        canvas = page.locator(".stage canvas")
        light = "c => { const {width: w, height: h} = c; \
            const d = c.getContext('2d').getImageData(w / 2, h / 2, 1, 1).data; return d[0]; }"
        before = canvas.evaluate(light)
        page.keyboard.press("i")
        expect(page.locator(".bottom-left")).to_contain_text("inverted")
        assert canvas.evaluate(light) != before

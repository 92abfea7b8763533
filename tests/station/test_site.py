"""The pages: what is served, how, and that no path leads out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from lungflag.station.site import site_routes

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "<!doctype html><title>here</title>" + " " * 500


@pytest.fixture
def browser(tmp_path: Path) -> TestClient:
    """Return a browser of a site with a page and a script, beside a file that is not of it."""
    (tmp_path / "secret.txt").write_text("what nobody may read")
    site = tmp_path / "static"
    (site / "assets").mkdir(parents=True)
    (site / "index.html").write_text(PAGE)
    (site / "build.json").write_text("{}")
    (site / "assets" / "app-1a2b.js").write_text("export {};" * 100)
    (site / "assets" / "link.txt").symlink_to(tmp_path / "nowhere")
    app = FastAPI()
    app.include_router(site_routes(site))
    return TestClient(app)


@pytest.mark.parametrize("path", ["/", "/studies/1.2.3", "/quality", "/build.json"])
def test_every_page_is_the_application(browser: TestClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.text == PAGE
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"


def test_assets_are_kept_for_ever_and_squeezed(browser: TestClient) -> None:
    answer = browser.get("/assets/app-1a2b.js")
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("application/javascript")
    plain = browser.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text
    again = browser.get("/assets/app-1a2b.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert browser.head("/assets/app-1a2b.js").content == b""


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/..%5c..%5csecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "//etc/passwd",
        "/assets//etc/passwd",
        "/assets/link.txt",
        "/%00",
    ],
)
def test_no_path_leads_out(browser: TestClient, path: str) -> None:
    answer = browser.get(path)
    assert "nobody" not in answer.text
    assert "root:" not in answer.text
    assert answer.text == PAGE or answer.status_code == 404


def test_what_the_api_does_not_know_is_no_page(browser: TestClient) -> None:
    answer = browser.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_station_that_was_not_built_says_so(tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(site_routes(tmp_path / "nowhere"))
    assert TestClient(app).get("/").json()["detail"] == "the pages were not built"

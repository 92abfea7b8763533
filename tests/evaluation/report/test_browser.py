"""The page in a real browser, at the widths of a screen, a tablet and a telephone, and printed."""

from __future__ import annotations

import json
import re
import subprocess
from html import escape, unescape
from typing import TYPE_CHECKING, Any

import pytest

from lungflag.evaluation.report.page import render
from tests.conftest import tool
from tests.evaluation.report.studies import film, predictions, report

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.detector import Detector

LOOK = """
function look() {
  const frame = document.getElementById("frame"), page = frame.contentDocument;
  const width = frame.contentWindow.innerWidth, over = [], overlaps = [], cut = [];
  for (const e of page.querySelectorAll("body *"))
    if (!e.closest("svg") && e.getBoundingClientRect().right > width + 0.5)
      over.push(e.tagName + " " + e.textContent.trim().slice(0, 60));
  for (const e of page.querySelectorAll(".wide"))
    if (e.scrollWidth > e.clientWidth + 1) cut.push(e.textContent.trim().slice(0, 60));
  for (const svg of page.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")]
      .map(e => [e.getBoundingClientRect(), e.textContent]);
    texts.forEach(([a, name], i) => {
      if (a.left < box.left - 1 || a.right > box.right + 1 || a.top < box.top - 1 ||
          a.bottom > box.bottom + 1) cut.push(name);
      for (const [b, other] of texts.slice(i + 1))
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
            Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2)
          overlaps.push(name + " / " + other);
    });
  }
  document.getElementById("found").textContent = JSON.stringify({
    inner: width, scroll: page.documentElement.scrollWidth, over, cut, overlaps,
    broken: [...page.images].filter(i => !i.naturalWidth).length });
}
"""


def chromium(*arguments: str) -> str:
    command = [tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout


def look(page: str, width: int, folder: Path) -> dict[str, Any]:
    """Return what a browser measures; a frame gives widths below a window's least."""
    (folder / "look.html").write_text(
        f'<meta charset="utf-8"><script>{LOOK}</script><pre id="found"></pre>'
        f'<iframe id="frame" style="width:{width}px;height:4000px;border:0" onload="look()" '
        f'srcdoc="{escape(page)}"></iframe>',
        encoding="utf-8",
    )
    dom = chromium(
        *("--hide-scrollbars", "--virtual-time-budget=5000", "--dump-dom"),
        *(f"--window-size={width + 100},4000", f"file://{folder / 'look.html'}"),
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)
    assert found
    measured: dict[str, Any] = json.loads(unescape(found[1]))
    return measured


@pytest.fixture
def page(detector: Detector, tmp_path: Path) -> str:
    from lungflag.data.manifest import Manifest
    from lungflag.evaluation.shift import run_shift

    some = predictions(tmp_path, 60, ward="a ward whose name is longer than any label can be")
    for i, one in enumerate(some):
        film(one.row.path, i)
    bench = run_shift(detector, Manifest(tuple(one.row for one in some)), limit=12, resamples=50)
    by = ["source", "kind", "age", "ward"]
    return render(report(detector, some, by=by, shift=bench.to_dict()))


def printed(page: str, folder: Path) -> str:
    """Return the text of the printed page."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    chromium(f"--print-to-pdf={folder / 'page.pdf'}", f"file://{folder / 'page.html'}")
    assert (folder / "page.pdf").read_bytes().startswith(b"%PDF")
    command = [tool("pdftotext"), "-layout", str(folder / "page.pdf"), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_nothing_overlaps_and_nothing_is_cut_on_screens_and_on_paper(
    page: str, tmp_path: Path
) -> None:
    for width in (1280, 768, 390):
        found = look(page, width, tmp_path)
        assert found["inner"] == width
        assert found["scroll"] <= width
        for fault in ("over", "cut", "overlaps"):
            assert not found[fault], (width, fault)
        assert found["broken"] == 0
    text = printed(page, tmp_path)
    for words in ("What this is", "Decision curve", "Shift bench", "How the figures were made"):
        assert words in text


@pytest.mark.slow
def test_the_measurement_finds_faults(tmp_path: Path) -> None:
    page = (
        '<!doctype html><div style="width:600px">too wide</div>'
        '<div class="wide" style="width:50px;overflow:auto"><p style="width:90px">hidden</p></div>'
        '<svg width="100" height="50"><text x="5" y="20">first</text>'
        '<text x="9" y="20">second</text><text x="80" y="40">beyond</text></svg>'
        '<img src="data:image/jpeg;base64,AAAA">'
    )
    found = look(page, 390, tmp_path)
    assert found["scroll"] > 390
    assert found["over"] == ["DIV too wide"]
    assert found["cut"] == ["hidden", "beyond"]
    assert found["overlaps"] == ["first / second"]
    assert found["broken"] == 1

"""The viewer's figures in headless Chromium: time to the first picture, frame times, transfer.

    python benchmarks/viewer.py [--json FILE]

A film of 12 megapixels (4,096 rows, 3,072 columns, 12 bits) is sent to a service on loopback and
opened from the worklist: first in a browser and a station that have never seen it, then again.
Then the window is dragged, the film panned, zoomed and the heatmap faded, each for three seconds
of mouse moves. A frame's time is the distance of two calls of requestAnimationFrame; a display of
60 Hz gives 16.7 ms. There is no graphics processor in a headless container, so the viewer draws on
a 2D canvas; the figures of WebGL are those of Chromium's imitation on the CPU. The load of the
machine at the beginning is told: other work makes every figure worse.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.conftest import tool
from tests.radiograph.objects import content, dx
from tests.station.browser.stations import running_station

from lungflag.phantom import make_phantom

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

ROWS, COLUMNS = 4096, 3072
SECONDS = 3.0
START = """() => { window.frames_ = []; let last = performance.now(); window.going_ = true;
    const tick = now => { window.frames_.push(now - last); last = now;
    if (window.going_) requestAnimationFrame(tick); }; requestAnimationFrame(tick); }"""
# The steps are made in the page, since messages of a test tool come too slowly for 60 Hz.
MOVES = """([kind, seconds]) => new Promise(done => {
    const stage = document.querySelector('.stage'), box = stage.getBoundingClientRect();
    const send = (type, x, y, more = {}) => stage.querySelector('canvas').dispatchEvent(
        new PointerEvent(type, {bubbles: true, pointerId: 1, clientX: x, clientY: y, ...more}));
    const x = box.left + box.width / 2, y = box.top + box.height / 2, begin = performance.now();
    stage.setPointerCapture = () => {};
    const drag = kind === 'window' || kind === 'pan';
    if (drag) send('pointerdown', x, y, {button: 0, shiftKey: kind === 'pan'});
    const slider = document.querySelector('.heat input');
    const step = now => {
        const t = (now - begin) / 1000, swing = Math.sin(3 * t);
        if (drag) send('pointermove', x + 120 * swing, y + 90 * Math.cos(2 * t));
        else if (kind === 'zoom') stage.dispatchEvent(new WheelEvent('wheel',
            {deltaY: 60 * swing, clientX: x, clientY: y, bubbles: true, cancelable: true}));
        else { slider.value = 50 + 45 * swing;
            slider.dispatchEvent(new Event('input', {bubbles: true})); }
        if (t < seconds) requestAnimationFrame(step);
        else { if (drag) send('pointerup', x, y); done(); }
    };
    requestAnimationFrame(step);
})"""


def film() -> bytes:
    """Return a synthetic film of 12 megapixels as a DICOM file."""
    pixels = make_phantom(1, pneumonia=True, size=1024).pixels.astype(np.float32)
    large = Image.fromarray(pixels).resize((COLUMNS, ROWS), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(1).normal(0, 8, (ROWS, COLUMNS))
    stored = np.clip(np.asarray(large) * 4000 + noise, 0, 4095).astype(np.uint16)
    return content(
        dx(
            stored,
            12,
            PatientName="SYNTHETIC^TWELVE",
            PatientID="BENCH-12",
            ViewPosition="PA",
            ImagerPixelSpacing=[0.1, 0.1],
        )
    )


def open_study(page: Page) -> dict[str, float]:
    """Open the first study of the worklist; return the seconds to its pictures."""
    page.goto("/")
    page.wait_for_selector("a.row-link")
    page.evaluate(
        """() => { window.seen_ = {}; const begin = performance.now();
        const look = () => { const words = document.querySelector('[data-picture]');
            const picture = words ? words.dataset.picture : 'none';
            if (picture !== 'none') window.seen_.first ??= (performance.now() - begin) / 1000;
            if (picture === 'full') window.seen_.full ??= (performance.now() - begin) / 1000;
            if (!window.seen_.full) requestAnimationFrame(look); };
        requestAnimationFrame(look); document.querySelector('a.row-link').click(); }"""
    )
    page.wait_for_function("() => window.seen_.full", timeout=60_000)
    seen: dict[str, float] = page.evaluate("window.seen_")
    return {name: round(value, 3) for name, value in seen.items()}


def frame_times(page: Page, kind: str) -> dict[str, float]:
    """Return figures of the frames while something moves, in milliseconds."""
    page.evaluate(START)
    page.evaluate(MOVES, [kind, SECONDS])
    frames = np.array(page.evaluate("(window.going_ = false, window.frames_)")[2:])
    return {
        "frames": len(frames),
        "median": round(float(np.median(frames)), 1),
        "p95": round(float(np.percentile(frames, 95)), 1),
        "longest": round(float(frames.max()), 1),
        "per_second": round(1000 / float(frames.mean()), 1),
    }


def measured(say: Callable[[str], None]) -> dict[str, Any]:
    """Run everything; return the figures."""
    figures: dict[str, Any] = {"load": os.getloadavg()[0], "processors": os.cpu_count()}
    say(f"load {figures['load']:.1f} on {figures['processors']} processors")
    words = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        path = Path(scratch) / "film.dcm"
        path.write_bytes(film())
        with running_station(Path(scratch) / "service", station_sign_in="auto") as station:
            station.receive(path)
            browser = playwright.chromium.launch(executable_path=tool("chromium"), args=words)
            for renderer in ("canvas", "webgl"):
                context = browser.new_context(
                    base_url=station.url, viewport={"width": 1920, "height": 1080}
                )
                page = context.new_page()
                if renderer == "canvas":  # what Chromium gets here, without a graphics processor
                    figures["first opening, seconds"] = open_study(page)
                    say(f"first opening: {figures['first opening, seconds']}")
                    figures["second opening, seconds"] = open_study(page)
                    say(f"second opening: {figures['second opening, seconds']}")
                else:
                    open_study(page)
                    page.goto(f"{page.url}?renderer={renderer}")
                    page.wait_for_selector("[data-picture=full]", state="attached")
                time.sleep(1)  # decoding for the next levels is over
                for kind in ("window", "pan", "zoom", "fade"):
                    one = frame_times(page, kind)
                    figures[f"{renderer}, {kind}, ms"] = one
                    say(f"{renderer}, {kind}: {one}")
                context.close()
            browser.close()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    figures = measured(print)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

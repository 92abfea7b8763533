"""Where the time of a film goes, from its file to its Outcome: docs/speed.md's table and picture.

    python benchmarks/stages.py [--films 40]

The stages are timed from outside, in one thread, each without what it calls. The films a second
beside them are measured before, without any timing.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections import Counter
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from PIL import Image
from pydicom import uid

from inputs import dx, jpegs
from lungflag.detector import Detector
from lungflag.outcome import Finding
from lungflag.outputs.overlay import draw_overlay
from lungflag.preprocess import Preprocess
from lungflag.quality.gate import QualityGate

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "speed.png"
STAGES = {  # colours that the colour-blind tell apart (Okabe and Ito)
    "read": "#999999",
    "parse": "#56B4E9",
    "decode": "#0072B2",
    "grey scale": "#009E73",
    "reduce": "#F0E442",
    "resize, stretch": "#E69F00",
    "gate": "#CC79A7",
    "network": "#D55E00",
    "overlay": "#000000",
    "other": "#DDDDDD",
}
PLACES = (
    ("lungflag.radiograph", "load", "read"),
    ("lungflag.radiograph.raster", "decode", "decode"),
    ("lungflag.radiograph.raster", "scaled", "grey scale"),
    ("lungflag.radiograph.raster", "grey_levels", "grey scale"),
    ("lungflag.radiograph.dicom", "parse", "parse"),
    ("lungflag.radiograph.dicom", "read_dataset", "grey scale"),
    ("lungflag.radiograph.dicom", "stored_bits", "decode"),
)
METHODS = (
    (Preprocess, "reduced", "reduce"),
    (Preprocess, "__call__", "resize, stretch"),
    (QualityGate, "infer", "gate"),
    (Detector, "infer", "network"),
)


class Stopwatch:
    """Time by stage, each without the stages inside it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inside = [0.0]

    def timed(self, call: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(call)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._inside.append(0.0)
            started = perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                whole = perf_counter() - started
                self.spent[stage] += whole - self._inside.pop()
                self._inside[-1] += whole

        return wrapper


def formats(films: list[Path], folder: Path) -> dict[str, list[Path]]:
    """Write the films in every format."""
    found: dict[str, list[Path]] = {"JPEG": films}
    syntaxes = {
        "DICOM, uncompressed": None,
        "DICOM, JPEG-LS": uid.JPEGLSLossless,
        "DICOM, JPEG 2000 lossless": uid.JPEG2000Lossless,
    }
    for number, path in enumerate(films):
        png = folder / f"{number}.png"
        with Image.open(path) as image:
            image.convert("L").save(png)
        found.setdefault("PNG", []).append(png)
        for name, syntax in syntaxes.items():
            ds = dx(path)
            if syntax:
                ds.compress(syntax)
            target = folder / f"{number}-{syntax or 'native'}.dcm"
            ds.save_as(target, enforce_file_format=True)
            found.setdefault(name, []).append(target)
    return found


def rate(detector: Detector, films: list[Path], jobs: int) -> float:
    started = perf_counter()
    outcomes = list(detector.detect_many(films, jobs=jobs))
    assert all(isinstance(outcome, Finding) for outcome in outcomes)
    return len(outcomes) / (perf_counter() - started)


def profile(detector: Detector, films: list[Path], watch: Stopwatch, **more: Any) -> Counter[str]:
    """Return milliseconds a film by stage."""
    watch.spent.clear()
    run = watch.timed(lambda: list(detector.detect_many(films, **more)), "other")
    run()
    return Counter({stage: 1000 * spent / len(films) for stage, spent in watch.spent.items()})


def draw(found: dict[str, Counter[str]]) -> None:
    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 4.4), layout="constrained")
    for row, spent in enumerate(found.values()):
        left, whole = 0.0, spent.total()
        for stage, colour in STAGES.items():
            width = 100 * spent[stage] / whole
            axes.barh(row, width, left=left, color=colour, edgecolor="white", linewidth=0.6)
            if width > 3.5:
                dark = colour in {"#000000", "#0072B2", "#D55E00", "#009E73"}
                axes.text(
                    left + width / 2, row, f"{spent[stage]:.1f}", ha="center", va="center",
                    fontsize=9, color="white" if dark else "black",
                )  # fmt: skip
            left += width
        axes.text(101, row, f"{whole:.1f} ms", va="center", fontsize=10)
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set_xlim(0, 110)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("share of a film's time in percent, one thread; figures are milliseconds")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in STAGES.values()]
    figure.legend(handles, list(STAGES), loc="outside upper center", ncols=5, frameon=False)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    """Measure, print the table as Markdown, and draw the picture."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wanted.add_argument("--films", type=int, default=40)
    asked = wanted.parse_args()
    detector = Detector.load(threads=1)
    with tempfile.TemporaryDirectory() as place:
        films = formats(jpegs(Path(place), asked.films), Path(place))
        rates = {}
        for name, paths in films.items():
            rate(detector, paths, 1)
            rates[name] = rate(detector, paths, 1), rate(detector, paths, 2)
        watch = Stopwatch()
        for module, name, stage in PLACES:
            room = importlib.import_module(module)
            setattr(room, name, watch.timed(getattr(room, name), stage))
        for kind, name, stage in METHODS:
            setattr(kind, name, watch.timed(getattr(kind, name), stage))
        found = {name: profile(detector, paths, watch) for name, paths in films.items()}
        overlay = watch.timed(draw_overlay, "overlay")
        found["JPEG, with overlays"] = profile(detector, films["JPEG"], watch, on_finding=overlay)
    print(f"| | {' | '.join(STAGES)} | whole | films/s, 1 job | 2 jobs |")
    print(f"|---|{'---|' * (len(STAGES) + 3)}")
    for name, spent in found.items():
        cells = " | ".join(f"{spent[stage]:.2f}" if spent[stage] else "" for stage in STAGES)
        one, two = rates.get(name, (0, 0))
        speeds = f"{one:.0f} | {two:.0f}" if one else " | "
        print(f"| {name} | {cells} | {spent.total():.1f} | {speeds} |")
    draw(found)


if __name__ == "__main__":
    sys.exit(main())

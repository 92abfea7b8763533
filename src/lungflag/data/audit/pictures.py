"""The report's pictures, drawn without a display and without matplotlib's global state."""

from __future__ import annotations

import io
import warnings
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lungflag.data.audit.concerns import plain
from lungflag.data.audit.measure import FEATURES
from lungflag.data.audit.result import subtype
from lungflag.data.manifest import LABELS, SPLITS
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from lungflag.data.audit.duplicates import DuplicateGroup
    from lungflag.data.audit.measure import Measurement
    from lungflag.data.audit.result import Audit
    from lungflag.data.manifest import Row

COLORS = {"normal": "#4477aa", "pneumonia": "#cc6677"}  # apart for every common colour vision
_SIDE = 320  # pixels of a picture in the report
_ROWS, _COLUMNS = 8, 6  # of the sample grid
_INK = "#333333"


def samples(audit: Audit) -> dict[str, list[Row]]:
    """Choose examples to show: up to six patients for each source, label and subtype.

    The choice is spread evenly over the manifest, so it is the same every time.
    """
    kinds: defaultdict[tuple[str, str, str], dict[tuple[str, str], Row]] = defaultdict(dict)
    for one in audit.measured:
        kind = (one.row.source, one.row.label, subtype(one.row))
        kinds[kind].setdefault(one.row.patient_key, one.row)
    chosen = {}
    for kind, patients in sorted(kinds.items())[:_ROWS]:
        rows = list(patients.values())
        spread = np.linspace(0, len(rows) - 1, min(_COLUMNS, len(rows))).round().astype(int)
        chosen[" · ".join(plain(part) for part in kind if part)] = [rows[i] for i in spread]
    return chosen


def picture(row: Row) -> Image.Image:
    """Return a row's radiograph with its longer side reduced to 320 pixels, as 8-bit grey."""
    pixels = read_radiograph(row.path, minimum_side=_SIDE).pixels
    image = Image.fromarray(np.rint(pixels * 255).clip(0, 255).astype(np.uint8))
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return image


def sample_grid(chosen: dict[str, list[Row]]) -> bytes:
    """Draw ``samples.png``: a row of examples for each kind, with patient and split."""
    figure = _figure(1.75 * _COLUMNS, 2.2 * len(chosen))
    axes = figure.subplots(len(chosen), _COLUMNS, squeeze=False)
    for line, (kind, rows) in zip(axes, chosen.items(), strict=True):
        for place, row in zip(line, rows, strict=False):
            _show(
                place, row, caption=_shortened(" · ".join(filter(None, (row.patient, row.split))))
            )
        for place in line:
            place.set_axis_off()
        line[0].set_title(kind, loc="left", fontsize=11, weight="bold", parse_math=False, pad=8)
    return _png(figure)


def duplicate_pictures(groups: Sequence[DuplicateGroup]) -> bytes:
    """Draw ``duplicates.png``: a line for each group, up to four of its images."""
    shown = [group.rows[:4] for group in groups]
    columns = max(len(rows) for rows in shown)
    figure = _figure(2.4 * columns, 2.9 * len(shown))
    axes = figure.subplots(len(shown), columns, squeeze=False)
    for line, rows, group in zip(axes, shown, groups, strict=True):
        for place, row in zip(line, rows, strict=False):
            where = " · ".join(filter(None, (row.label, row.patient, row.split)))
            _show(place, row, caption=f"{_shortened(row.path.name)}\n{_shortened(where)}")
        for place in line:
            place.set_axis_off()
        line[0].set_title(group.kinship, loc="left", fontsize=10, weight="bold")
    return _png(figure)


def class_chart(audit: Audit) -> bytes:
    """Draw ``classes.png``: the images of each split, label and subtype."""
    images: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for one in audit.balance:
        images[one.split, one.label, one.subtype] += one.images
    bars = sorted(images, key=lambda bar: (SPLITS.index(bar[0]), *bar))
    figure = _figure(5.6, 0.6 + 0.36 * len(bars))
    axes = figure.subplots()
    for place, bar in enumerate(bars):
        axes.barh(place, images[bar], color=COLORS[bar[1]], height=0.7)
        count = f" {images[bar]:,}"
        axes.text(images[bar], place, count, va="center", fontsize=9, color=_INK)
    axes.set_yticks(range(len(bars)))
    axes.set_yticklabels(
        [_shortened(" · ".join(filter(None, bar)), 36) for bar in bars],
        fontsize=9,
        parse_math=False,
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(images.values()))  # room for the count beside the longest bar
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    title = "Images by split, label and subtype"
    axes.set_title(title, loc="left", fontsize=10, weight="bold")
    return _png(figure)


def histogram(measured: Sequence[Measurement], column: int) -> bytes:
    """Draw how one feature is distributed under each label, each label's area being one."""
    feature = FEATURES[column]
    values = np.array([one.features[column] for one in measured])
    positive = np.array([one.row.positive for one in measured])
    figure = _figure(3.2, 2.1)
    axes = figure.subplots()
    edges = _edges(values)
    for label, chosen in ((LABELS[0], ~positive), (LABELS[1], positive)):
        if chosen.any():
            weights = np.full(int(chosen.sum()), 1 / chosen.sum())
            shown = values[chosen].clip(edges[0], edges[-1])
            axes.hist(
                shown, edges.tolist(), weights=weights, color=COLORS[label], alpha=0.55, label=label
            )
    axes.set_yticks([])
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="x", nbins=4)
    axes.ticklabel_format(axis="x", scilimits=(-3, 5))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(feature.title, loc="left", fontsize=10, weight="bold")
    return _png(figure)


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 33 bin edges over the middle 99% of `values`; the ends take in the rest."""
    low, high = np.quantile(values, (0.005, 0.995))
    if high <= low:
        low, high = low - 0.5, low + 0.5
    return np.linspace(low, high, 33)


def _show(axes: Axes, row: Row, *, caption: str) -> None:
    axes.imshow(np.asarray(picture(row)), cmap="gray", vmin=0, vmax=255)
    text = axes.text(0.5, -0.03, caption, transform=axes.transAxes, color=_INK, fontsize=8)
    text.set(ha="center", va="top", parse_math=False)


def _shortened(text: str, limit: int = 30) -> str:
    line = plain(text)
    return line if len(line) <= limit else f"{line[: limit - 9]}…{line[-8:]}"


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A patient's name may hold letters that the font lacks; a box in their place will do.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()

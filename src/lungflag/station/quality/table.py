"""The quality page as a CSV table that a spreadsheet may open without harm."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.station.quality.document import QualityOut, StabilityOut

COLUMNS = ("section", "name", "figure", "value", "low", "high", "n")

# Full-width forms too: some spreadsheets take them for the others.
_FORMULA = (*"=+-@|%\uff1d\uff0b\uff0d\uff20", "\t", "\r", "\n")

Cell = str | float | int | None


def to_csv(quality: QualityOut) -> str:
    """Return one row a figure: section, name, figure, value, its interval, and n."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in _rows(quality):
        writer.writerow(
            [harmless(cell) if isinstance(cell, str) else _number(cell) for cell in row]
        )
    return target.getvalue()


def harmless(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula.

    Sites and devices come from headers that anyone may write. An apostrophe makes a spreadsheet
    read a cell as text; control characters, which end cells in some, become spaces.
    """
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"'{clean}" if clean.lstrip().startswith(_FORMULA) or text[:1] in _FORMULA else clean


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _rows(quality: QualityOut) -> Iterator[tuple[Cell, ...]]:
    about = f"{quality.package} {quality.version}"
    yield "about", about, "images", quality.n_images, None, None, None
    yield "about", about, "images read", quality.n_read, None, None, None
    yield "about", quality.since, "days", quality.days, None, None, None
    yield from (("alarm", one.what, one.detail, None, None, None, None) for one in quality.alarms)
    for day in quality.agreement:
        sure = day.agree + day.disagree
        yield "agreement", day.day, "share agreed", day.share, day.low, day.high, sure
        yield "agreement", day.day, "unsure", day.unsure, None, None, None
    said = quality.accuracy
    for name, one in (
        ("sensitivity", said.sensitivity),
        ("specificity", said.specificity),
        ("sensitivity, corrected", said.corrected_sensitivity),
        ("specificity, corrected", said.corrected_specificity),
    ):
        yield "accuracy by readers", name, "share", one.value, one.low, one.high, one.n
    yield "accuracy by readers", "note", said.note, None, None, None, None
    if quality.drift:
        drift = quality.drift
        yield from _stability("score", drift.score)
        yield from _stability("grey mean", drift.input.grey_mean)
        yield from _stability("grey spread", drift.input.grey_std)
        seen = drift.embedding
        yield "drift", "embedding", "energy distance", seen.energy, None, None, seen.n
        yield "drift", "embedding", "alarm threshold", seen.threshold, None, None, seen.n
    for refused in quality.rejections:
        yield "rejections", refused.code, "share of images", refused.share, None, None, refused.n
    for waited in quality.turnaround.per_day:
        yield "turnaround", waited.day, "p50 seconds", waited.p50, None, None, waited.n
        yield "turnaround", waited.day, "p95 seconds", waited.p95, None, None, waited.n
    for section, groups in (("site", quality.sites), ("device", quality.devices)):
        for group in groups:
            counts = ("flagged", "rejected", "agree", "disagree", "unsure")
            for figure in counts:
                yield section, group.name, figure, getattr(group, figure), None, None, group.n
            yield section, group.name, "p50 seconds", group.p50, None, None, group.n
            yield section, group.name, "p95 seconds", group.p95, None, None, group.n


def _stability(name: str, moved: StabilityOut) -> Iterator[tuple[Cell, ...]]:
    yield "drift", name, "population stability index", moved.psi, None, None, moved.n
    yield "drift", name, "by chance below", moved.chance, None, None, moved.n

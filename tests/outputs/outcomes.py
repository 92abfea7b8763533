"""Findings and rejections to be put into words, pictures and codes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from lungflag.outcome import Finding, Rejection
from lungflag.package import ModelPackage
from lungflag.radiograph import Radiograph
from tests.packages import tiny_fields

AT = datetime(2026, 11, 24, 10, 20, 30, tzinfo=UTC)
PACKAGE = ModelPackage(**tiny_fields())
MARKS = ("outside validated use: hospital 'Łódź 東京'", "contradiction: age")


def finding(*, flagged: bool = True, peak: tuple[int, int] = (1, 2), **changes: Any) -> Finding:
    """Return a finding of the tiny package with one high place in a map of 4 x 4."""
    heatmap = np.full((4, 4), -1, np.float32)
    heatmap[peak] = 8
    fields: dict[str, Any] = {
        "source": "film.dcm",
        "probability": 0.9123456 if flagged else 0.0234567,
        "flagged": flagged,
        "threshold": 0.5,
        "operating_point": "balanced",
        "model": PACKAGE.name,
        "version": PACKAGE.version,
        "seconds": 0.1,
        "heatmap": heatmap,
        "embedding": np.zeros(16, np.float32),
    }
    return Finding(**fields | changes)


def rejection(code: str = "lateral", reason: str = "looks like a lateral view") -> Rejection:
    """Return a rejection by the tiny package."""
    return Rejection("film.dcm", code, reason, "balanced", PACKAGE.name, PACKAGE.version, 0.1)


def film(rows: int = 40, columns: int = 32) -> Radiograph:
    """Return a grey wedge."""
    pixels = np.linspace(0, 1, rows * columns, dtype=np.float32).reshape(rows, columns)
    pixels.setflags(write=False)
    return Radiograph(pixels, "film.dcm")

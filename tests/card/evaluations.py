"""Evaluations as `lungflag evaluate --json` writes them, made by the very code that writes them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lungflag.data.manifest import Row
from lungflag.evaluation import Prediction, assess, document

if TYPE_CHECKING:
    from lungflag.calibration import OperatingPoint
    from lungflag.evaluation import Evaluation
    from lungflag.package import ModelPackage


def evaluation(
    package: ModelPackage,
    path: Path,
    *,
    strength: float = 3.0,
    source: str = "elsewhere",
    changes: dict[str, Any] | None = None,
) -> Path:
    """Write the evaluation of made-up findings, with some keys of the record changed.

    `strength` is how far the labels stand apart.
    """
    point = package.operating_point()
    record = document(
        _assessed(package.operating_points, point.threshold, strength, source),
        package=package,
        operating_point=point,
        data=f"/home/me/{source}.csv",
        split="test",
    )
    path.write_text(json.dumps({**record, **(changes or {})}), encoding="utf-8")
    return path


@cache
def _assessed(
    points: tuple[OperatingPoint, ...], threshold: float, strength: float, source: str
) -> Evaluation:
    """Return the evaluation of 60 findings on as many patients, and of one rejection."""
    rng = np.random.default_rng(3)
    predictions = []
    for i in range(60):
        positive = i % 2 == 0
        logit = strength * (0.5 if positive else -0.5) + rng.normal()
        p = float(1 / (1 + np.exp(-logit)))
        label = "pneumonia" if positive else "normal"
        row = Row(Path(f"{i}.png"), label, f"p{i}", "test", source, {"sex": "F" if i % 3 else "M"})
        predictions.append(Prediction(row, p, p >= threshold))
    last = Row(Path("last.png"), "normal", "p-last", "test", source, {"sex": ""})
    predictions.append(Prediction(last, None, None, "blank", "blank"))
    return assess(predictions, operating_points=points, by=["sex"], resamples=50)

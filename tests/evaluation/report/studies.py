"""Reports to test: predictions that were made up, around a real small detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lungflag.data.manifest import Row
from lungflag.evaluation import Prediction, assess, document, judged_cases, trace
from lungflag.evaluation.report.page import Report
from lungflag.evaluation.report.pictures import hardest_shots, rejected_shots
from lungflag.outputs.overlay import draw_heatmap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lungflag.detector import Detector


def film(path: Path, seed: int) -> Path:
    """Write a picture of coarse noise, which the small detector judges."""
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.kron(coarse, np.ones((16, 16), np.uint8))).save(path)
    return path


def predictions(
    folder: Path,
    n: int = 60,
    *,
    share: float = 0.5,
    suffix: str = "",
    **extra: str,
) -> list[Prediction]:
    """Return n judged images of 3/4 as many patients; the first eight have their files."""
    rng = np.random.default_rng(n)
    found = []
    for i in range(n):
        positive = i < share * n
        path = folder / f"image{i}{suffix}.png"
        probability = float(1 / (1 + np.exp(-(3.0 * positive - 1.5 + 1.2 * rng.standard_normal()))))
        row = Row(
            path=path,
            label="pneumonia" if positive else "normal",
            patient=f"patient{i * 3 // 4}{suffix}",
            source="here" if i % 3 else "there",
            extra={"age": str(i), "kind": "abc"[i % 3], **extra},
        )
        found.append(Prediction(row, probability, probability >= 0.5))
    return found


def report(
    detector: Detector,
    some: Sequence[Prediction],
    *,
    by: Sequence[str] = (),
    shift: dict[str, Any] | None = None,
) -> Report:
    """Return the report of `some`; the hardest images get files that the detector can read."""
    package = detector.package
    evaluation = assess(some, by=by, operating_points=package.operating_points, resamples=200)
    for i, one in enumerate(one for group in evaluation.hardest.values() for one in group):
        film(one.row.path, i)
    judged = judged_cases([one for one in some if one.judged])
    curves = trace(judged, resamples=50)
    point = package.operating_point()
    record = document(
        evaluation,
        package=package,
        operating_point=point,
        data="manifest.csv",
        split="test",
        curves=curves,
        shift=shift,
    )
    return Report(
        record=record,
        evaluation=evaluation,
        curves=curves,
        package=package,
        hardest=hardest_shots(
            detector, evaluation.hardest, draw_heatmap, operating_point=point.name
        ),
        rejected=rejected_shots(evaluation.rejected),
    )

"""A comparison as JSON; docs/comparing.md describes every key."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lungflag.evaluation.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lungflag.evaluation.compare.comparison import Comparison, Contender
    from lungflag.evaluation.predictions import Prediction
    from lungflag.package import ModelPackage

SCHEMA = 1


def comparison_document(
    comparison: Comparison,
    *,
    packages: Mapping[str, ModelPackage],
    predictions: Mapping[str, Sequence[Prediction]],
    operating_point: str | None,
    data: str,
    split: str,
) -> dict[str, Any]:
    """Return the comparison and what was compared on what, as plain JSON values.

    Parameters
    ----------
    comparison : Comparison
        The figures.
    packages : Mapping[str, ModelPackage]
        The contenders' names to their packages.
    predictions : Mapping[str, Sequence[Prediction]]
        The contenders' names to their predictions.
    operating_point : str or None
        The operating point asked for; None for each package's default.
    data, split : str
        What they were compared on.
    """
    return {
        "schema": SCHEMA,
        "lungflag": version("lungflag"),
        "data": {"path": data, "split": split, **asdict(comparison.common)},
        "intervals": {
            "confidence": CONFIDENCE,
            "resamples": comparison.resamples,
            "seed": comparison.seed,
        },
        "adjustment": "Holm, over the comparisons of one metric with the first package",
        "warnings": list(comparison.warnings),
        "packages": [
            _contender(one, packages[one.name], operating_point) for one in comparison.contenders
        ],
        "rejected": _rejected(predictions),
    }


def _contender(
    one: Contender, package: ModelPackage, operating_point: str | None
) -> dict[str, Any]:
    name = package.operating_point(operating_point).name
    return {
        "name": one.name,
        "package": {"name": package.name, "version": package.version, "digest": package.digest},
        "operating_point": {
            "name": name,
            "thresholds": {
                point.age_group: point.threshold
                for point in package.operating_points
                if point.name == name
            },
        },
        "judged": dict(one.count.judged),
        "rejected": dict(one.count.rejected),
        "metrics": {key: asdict(found) for key, found in one.metrics.items()},
        "intention_to_diagnose": {
            key: asdict(found) for key, found in one.intention_to_diagnose.items()
        },
        "differences": {key: asdict(found) for key, found in one.differences.items()},
    }


def _rejected(predictions: Mapping[str, Sequence[Prediction]]) -> list[dict[str, Any]]:
    """Return the images that any contender rejected, with each one's reason."""
    listed = []
    for image in zip(*predictions.values(), strict=True):
        reasons = {
            name: one.reason for name, one in zip(predictions, image, strict=True) if not one.judged
        }
        if reasons:
            row = image[0].row
            listed.append(
                {
                    "path": str(row.path),
                    "label": row.label,
                    "patient": row.patient,
                    "reasons": reasons,
                }
            )
    return listed

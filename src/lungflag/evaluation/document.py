"""An evaluation as JSON; docs/evaluation.md describes every key."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lungflag.evaluation.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lungflag.calibration import OperatingPoint
    from lungflag.evaluation.cohort import Cohort
    from lungflag.evaluation.curves import Curve, Curves
    from lungflag.evaluation.evaluate import Evaluation
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.predictions import Prediction
    from lungflag.evaluation.reliability import Reliability
    from lungflag.package import ModelPackage

SCHEMA = 1


def document(
    evaluation: Evaluation,
    *,
    package: ModelPackage,
    operating_point: OperatingPoint,
    data: str,
    split: str,
    curves: Curves | None = None,
    shift: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the evaluation and what was evaluated on what, as plain JSON values.

    Parameters
    ----------
    evaluation : Evaluation
        The figures.
    package, operating_point
        The index test, and where its decision was taken.
    data, split : str
        What was evaluated.
    curves : Curves or None
        What `lungflag.evaluation.curves.trace` returned.
    shift : Mapping[str, Any] or None
        What the shift bench found, as plain JSON values; None where it was not run.
    """
    judged = sum(evaluation.count.judged.values())
    return {
        "schema": SCHEMA,
        "lungflag": version("lungflag"),
        "package": {"name": package.name, "version": package.version, "digest": package.digest},
        "operating_point": {
            "name": operating_point.name,
            "threshold": operating_point.threshold,
        },
        "data": {"path": data, "split": split, **asdict(evaluation.count)},
        "cohort": _cohort(evaluation.cohort),
        "intervals": {
            "confidence": CONFIDENCE,
            "resamples": evaluation.resamples,
            "seed": evaluation.seed,
        },
        "warnings": list(evaluation.warnings),
        "metrics": _plain(evaluation.metrics),
        "confusion_matrix": {
            name: {"count": round((cell.value or 0.0) * judged), **asdict(cell)}
            for name, cell in evaluation.confusion.items()
        },
        "operating_points": [
            {
                "name": point.name,
                "rule": point.rule,
                "thresholds": {group or "anyone": t for group, t in point.thresholds.items()},
                "metrics": _plain(point.metrics),
                "predictive_values": [asdict(one) for one in point.predictive],
            }
            for point in evaluation.operating_points
        ],
        "calibration": _calibration(evaluation.reliability),
        "curves": None if curves is None else _curves(curves),
        "intention_to_diagnose": _plain(evaluation.intention_to_diagnose),
        "rejected": [
            {**_image(one), "code": one.code, "reason": one.reason} for one in evaluation.rejected
        ],
        "subgroups": [
            {
                "column": group.column,
                "value": group.value,
                **asdict(group.count),
                "metrics": _plain(group.metrics),
                "borrowed_normals": group.borrowed,
            }
            for group in evaluation.subgroups
        ],
        "hardest": {
            label: [
                {**_image(one), "probability": one.probability, "flagged": one.flagged}
                for one in found
            ]
            for label, found in evaluation.hardest.items()
        },
        "shift": shift,
    }


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    return {name: asdict(estimate) for name, estimate in estimates.items()}


def _image(one: Prediction) -> dict[str, Any]:
    return {"path": str(one.row.path), "label": one.row.label, "patient": one.row.patient}


def _cohort(cohort: Cohort) -> dict[str, Any]:
    return {
        "rejected_by_code": {code: dict(labels) for code, labels in cohort.rejected.items()},
        "marked": dict(cohort.marked),
        "kinds": [
            {"column": kind.column, "value": kind.value, **asdict(kind.count)}
            for kind in cohort.kinds
        ],
    }


def _calibration(found: Reliability) -> dict[str, Any]:
    return {**asdict(found), "bins": [asdict(one) for one in found.bins]}


def _curves(curves: Curves) -> dict[str, Any]:
    return {
        "roc": _curve(curves.roc),
        "precision_recall": _curve(curves.precision_recall),
        "net_benefit": {**_curve(curves.net_benefit), "flag_all": _numbers(curves.flag_all)},
        "scores": {label: counts.tolist() for label, counts in curves.scores.items()},
    }


def _curve(curve: Curve) -> dict[str, Any]:
    band = {"x": curve.grid, "low": curve.low, "high": curve.high}
    return {
        "x": _numbers(curve.x),
        "y": _numbers(curve.y),
        "band": {name: _numbers(values) for name, values in band.items()},
    }


def _numbers(values: NDArray[np.float64]) -> list[float]:
    """Return the values with six digits behind the point, more than any picture shows."""
    numbers: list[float] = values.round(6).tolist()
    return numbers

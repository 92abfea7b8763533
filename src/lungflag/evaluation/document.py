"""An evaluation as JSON; docs/evaluation.md describes every key."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lungflag.evaluation.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lungflag.calibration import OperatingPoint
    from lungflag.evaluation.evaluate import Evaluation
    from lungflag.evaluation.intervals import Estimate
    from lungflag.package import ModelPackage

SCHEMA = 1


def document(
    evaluation: Evaluation,
    *,
    package: ModelPackage,
    operating_point: OperatingPoint,
    data: str,
    split: str,
) -> dict[str, Any]:
    """Return the evaluation and what was evaluated on what, as plain JSON values."""
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
        "intention_to_diagnose": _plain(evaluation.intention_to_diagnose),
        "rejected": [
            {
                "path": str(one.row.path),
                "label": one.row.label,
                "patient": one.row.patient,
                "reason": one.reason,
            }
            for one in evaluation.rejected
        ],
        "subgroups": [
            {
                "column": group.column,
                "value": group.value,
                **asdict(group.count),
                "metrics": _plain(group.metrics),
            }
            for group in evaluation.subgroups
        ],
    }


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    return {name: asdict(estimate) for name, estimate in estimates.items()}

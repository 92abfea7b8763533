"""The package that a recalibration leaves behind: the same network, the site's own thresholds."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from lungflag.calibrating import DEFAULT_OPERATING_POINT

if TYPE_CHECKING:
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.recalibration.scores import Scores
    from lungflag.evaluation.recalibration.site import Recalibration, State
    from lungflag.package import ModelPackage


def derive(
    package: ModelPackage,
    found: Recalibration,
    scores: Scores,
    *,
    name: str,
    date: str,
    data: str,
    split: str,
    rejected: int,
) -> ModelPackage:
    """Return the derived package, to be written with the graphs of `package`.

    What was measured of `package` is not true of the derived one, so that its evidence stays
    behind. ``provenance["derived_from"]`` records where it comes from and what was found.

    Parameters
    ----------
    package : ModelPackage
        As it came.
    found, scores
        The recalibration, and what it was fitted on.
    name : str
        Of the derived package.
    date : str
        ISO 8601.
    data, split : str
        What the site's images are called, and their split.
    rejected : int
        How many of them the detector rejected.

    Raises
    ------
    PackageFormatError
        If `name` has forbidden characters.
    """
    kept = {point.name for point in found.operating_points}
    default = package.default_operating_point
    return replace(
        package,
        name=name,
        calibration=found.calibration,
        operating_points=found.operating_points,
        default_operating_point=default if default in kept else DEFAULT_OPERATING_POINT,
        provenance={
            **{key: value for key, value in package.provenance.items() if key != "evidence"},
            "derived_from": {
                "name": package.name,
                "version": package.version,
                "digest": package.digest,
                "date": date,
                "data": data,
                "split": split,
                "images": {
                    "normal": int((~scores.positive).sum()),
                    "pneumonia": int(scores.positive.sum()),
                    "rejected": rejected,
                },
                "patients": {
                    "normal": scores.patients(False),
                    "pneumonia": scores.patients(True),
                    "all": scores.patients(),
                },
                "folds": found.folds,
                "before": _state(found.before),
                "after": _state(found.after),
                "needs": [asdict(need) for need in found.needs],
                "warnings": list(found.warnings),
            },
        },
        folder=None,
        hashes={},
        digest="",
    )


def _state(state: State) -> dict[str, Any]:
    measured: dict[str, Estimate] = {
        "calibration_error": state.reliability.calibration_error,
        "brier": state.brier,
        "auroc": state.auroc,
        "slope": state.reliability.slope,
        "intercept": state.reliability.intercept,
    }
    return {
        **{name: asdict(one) for name, one in measured.items()},
        "points": {name: asdict(point) for name, point in state.points.items()},
    }

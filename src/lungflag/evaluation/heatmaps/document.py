"""A study of heatmaps as JSON; docs/heatmaps.md describes every key."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lungflag.evaluation.heatmaps.randomisation import LIMIT
from lungflag.evaluation.intervals import CONFIDENCE, RESAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lungflag.evaluation.heatmaps.randomisation import Randomisation
    from lungflag.evaluation.heatmaps.study import HeatmapStudy
    from lungflag.evaluation.intervals import Estimate
    from lungflag.package import ModelPackage

SCHEMA = 1


def document(
    study: HeatmapStudy, *, package: ModelPackage, operating_point: str, data: str, split: str
) -> dict[str, Any]:
    """Return the study and what was studied on what, as plain JSON values."""
    return {
        "schema": SCHEMA,
        "lungflag": version("lungflag"),
        "package": {"name": package.name, "version": package.version, "digest": package.digest},
        "operating_point": operating_point,
        "data": {
            "path": data,
            "split": split,
            "judged": len(study.readings),
            "flagged": sum(one.flagged for one in study.readings),
            "rejected": [
                {"path": one.source, "code": one.code, "reason": one.reason}
                for one in study.rejected
            ],
        },
        "intervals": {"confidence": CONFIDENCE, "resamples": RESAMPLES, "seed": 0},
        "tolerance": study.tolerance,
        "pointing_game": _plain(study.pointing),
        "lung_fields": _plain(study.lungs),
        "flip": _plain(study.flip),
        "randomisation": study.randomisation and _randomisation(study.randomisation),
    }


def _plain(groups: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    return {
        group.replace(" ", "_"): {name: asdict(found) for name, found in estimates.items()}
        for group, estimates in groups.items()
    }


def _randomisation(found: Randomisation) -> dict[str, Any]:
    return {**asdict(found), "limit": LIMIT, "passed": found.passed}

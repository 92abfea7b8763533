"""Whether heatmaps mean something: where they point, what they cover, what they depend on."""

from __future__ import annotations

from lungflag.evaluation.heatmaps.document import document
from lungflag.evaluation.heatmaps.figure import draw
from lungflag.evaluation.heatmaps.masks import Masks, read_mask
from lungflag.evaluation.heatmaps.places import (
    TOLERANCE,
    LungShare,
    lung_share,
    peak,
    points_at,
    side_by_side,
    spread,
)
from lungflag.evaluation.heatmaps.randomisation import (
    Depth,
    Randomisation,
    randomised,
    weight_layers,
    weight_sanity,
)
from lungflag.evaluation.heatmaps.readings import Flip, Reading, take_readings
from lungflag.evaluation.heatmaps.study import HeatmapStudy, study

__all__ = [
    "TOLERANCE",
    "Depth",
    "Flip",
    "HeatmapStudy",
    "LungShare",
    "Masks",
    "Randomisation",
    "Reading",
    "document",
    "draw",
    "lung_share",
    "peak",
    "points_at",
    "randomised",
    "read_mask",
    "side_by_side",
    "spread",
    "study",
    "take_readings",
    "weight_layers",
    "weight_sanity",
]

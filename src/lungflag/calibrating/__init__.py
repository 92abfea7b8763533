"""From logits and labels to a calibration and operating points; scikit-learn, but no torch."""

from __future__ import annotations

from lungflag.calibrating.fit import METHODS, Method, fit_calibration
from lungflag.calibrating.operating import DEFAULT_OPERATING_POINT, set_operating_points
from lungflag.calibrating.size import Need, images_for_calibration, images_for_rate

__all__ = [
    "DEFAULT_OPERATING_POINT",
    "METHODS",
    "Method",
    "Need",
    "fit_calibration",
    "images_for_calibration",
    "images_for_rate",
    "set_operating_points",
]

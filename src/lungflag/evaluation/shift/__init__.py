"""The shift bench: how well a detector stands up to images that differ from its own."""

from __future__ import annotations

from lungflag.evaluation.shift.bench import LIMIT, choose_sample, run_shift
from lungflag.evaluation.shift.corruptions import CORRUPTIONS, SEVERITIES, Corruption, corrupt
from lungflag.evaluation.shift.drawing import draw_shift
from lungflag.evaluation.shift.figures import SENSITIVITY
from lungflag.evaluation.shift.result import (
    HospitalRow,
    ProbeRow,
    ShiftResult,
    ShiftRow,
    ShiftSummary,
    ShortcutRow,
    SubtypeRow,
)

__all__ = [
    "CORRUPTIONS",
    "LIMIT",
    "SENSITIVITY",
    "SEVERITIES",
    "Corruption",
    "HospitalRow",
    "ProbeRow",
    "ShiftResult",
    "ShiftRow",
    "ShiftSummary",
    "ShortcutRow",
    "SubtypeRow",
    "choose_sample",
    "corrupt",
    "draw_shift",
    "run_shift",
]

"""Index tests compared on the same images, with patients as clusters."""

from __future__ import annotations

from lungflag.evaluation.compare.comparison import COMPARED, Comparison, Contender, compare
from lungflag.evaluation.compare.difference import Difference
from lungflag.evaluation.compare.document import comparison_document
from lungflag.evaluation.compare.figure import FIGURE_SUFFIXES, draw_comparison

__all__ = [
    "COMPARED",
    "FIGURE_SUFFIXES",
    "Comparison",
    "Contender",
    "Difference",
    "compare",
    "comparison_document",
    "draw_comparison",
]

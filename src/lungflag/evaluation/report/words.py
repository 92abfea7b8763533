"""How figures are put into words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLES = {
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity (recall)",
    "specificity": "Specificity",
    "precision": "Positive predictive value (precision)",
    "negative_predictive_value": "Negative predictive value",
    "f1": "F1",
    "class_weighted_recall": "Class-weighted recall",
    "balanced_accuracy": "Balanced accuracy",
    "auroc": "AUROC",
    "auprc": "AUPRC (average precision)",
    "brier": "Brier score",
    "prevalence": "Prevalence in these data",
}
NOTHING = "–"  # noqa: RUF001  # a dash for a missing figure


def share(value: float | None) -> str:
    """Return a share in per cent; what is not quite 0% or 100% never reads as if it were."""
    if value is None:
        return NOTHING
    value = round(value, 9)  # of a quantile's rounding error
    for digits in (1, 2):
        text = f"{100 * value:.{digits}f}"
        if float(text) not in (0.0, 100.0) or value in (0.0, 1.0):
            return f"{text}%"
    return "< 0.01%" if value < 0.5 else "> 99.99%"


def figure(value: float | None) -> str:
    """Return a figure with three decimals; what is not quite 0 or 1 never reads as if it were."""
    if value is None:
        return NOTHING
    value = round(value, 9)
    text = f"{value:.3f}"
    if float(text) in (0.0, 1.0) and value not in (0.0, 1.0):
        text = f"{value:.5f}"
    return text.replace("-", "\u2212")


def share_interval(found: Mapping[str, Any]) -> str:
    """Return an estimate's interval in per cent."""
    if found["low"] is None:
        return NOTHING
    return f"{share(found['low'])} to {share(found['high'])}"


def figure_interval(found: Mapping[str, Any]) -> str:
    """Return an estimate's interval."""
    if found["low"] is None:
        return NOTHING
    return f"{figure(found['low'])} to {figure(found['high'])}"


def count(value: int) -> str:
    """Return a whole number with its thousands parted."""
    return f"{value:,}"


def one(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def of_100(value: float | None) -> str:
    """Return a share as so many of a hundred."""
    if value is None:
        return "an unknown number"
    rounded = round(100 * value)
    if rounded == 0:
        return "none" if value == 0 else "fewer than 1"
    return f"about {rounded}" if rounded < 100 or value < 1 else "all"


def drop_level(drop: float | None) -> str:
    """Return how far an AUROC fell, as a class of the style sheet."""
    if drop is None:
        return "none"
    for level, least in (("d4", 0.1), ("d3", 0.05), ("d2", 0.02), ("d1", 0.01)):
        if drop >= least:
            return level
    return "d0"


FILTERS = {
    "share": share,
    "figure": figure,
    "share_interval": share_interval,
    "figure_interval": figure_interval,
    "count": count,
    "one": one,
    "of_100": of_100,
    "drop_level": drop_level,
}

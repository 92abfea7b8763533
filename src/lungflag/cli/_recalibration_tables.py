"""A recalibration as tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from lungflag.cli._console import narrow_table, output, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lungflag.evaluation import Estimate, Prediction
    from lungflag.evaluation.recalibration import PointFigures, Recalibration, Scores
    from lungflag.package import ModelPackage


def show(
    found: Recalibration,
    scores: Scores,
    written: ModelPackage,
    *,
    source: ModelPackage,
    rejected: Sequence[Prediction],
) -> None:
    """Print the recalibration to standard output."""
    say(f"package          {source.name} {source.version} -> {written.name} {written.version}")
    say(
        f"judged           {len(scores)} images of {scores.patients()} patients "
        f"({int((~scores.positive).sum())} normal, {int(scores.positive.sum())} pneumonia)"
    )
    say(f"rejected         {len(rejected)}{_first(rejected)}")
    say(f"AUROC            {_estimate(found.before.auroc)}; recalibration does not change it")
    after = f"{found.folds}-fold by patient" if found.folds else "on the very images of the fit"
    output.print()
    output.print(_reliability(found, after))
    output.print()
    output.print(_points(found, after))
    output.print()
    output.print(_needs(found))
    say("")
    for warning in found.warnings:
        say(f"WARNING          {warning}")
    say(f"written          {written.folder}")


def _reliability(found: Recalibration, after: str) -> Table:
    table = narrow_table(f"Calibration, before and after ({after})")
    for title in ("", "before", "after", "best"):
        table.add_column(title)
    states = (found.before, found.after)
    for title, best, row in (
        ("calibration error", "0", [state.reliability.calibration_error for state in states]),
        ("Brier score", "0", [state.brier for state in states]),
        ("slope", "1", [state.reliability.slope for state in states]),
        ("intercept", "0", [state.reliability.intercept for state in states]),
    ):
        table.add_row(title, *(_estimate(one) for one in row), best)
    return table


def _points(found: Recalibration, after: str) -> Table:
    table = narrow_table(f"Operating points, before and after ({after})")
    for title in ("operating point", "", "threshold", "sensitivity", "specificity"):
        table.add_column(title)
    names = dict.fromkeys((*found.before.points, *found.after.points))
    for name in names:
        for word, state in (("before", found.before), ("after", found.after)):
            if name in state.points:
                table.add_row(name, word, *_figures(state.points[name]))
    return table


def _needs(found: Recalibration) -> Table:
    table = narrow_table("How many it takes (patients, one image each)")
    for title in ("for", "needed", "there are"):
        table.add_column(title)
    for need in found.needs:
        table.add_row(need.purpose, need.wanted, f"{need.have:,}")
    return table


def _figures(point: PointFigures) -> tuple[str, str, str]:
    return f"{point.threshold:.4f}", _estimate(point.sensitivity), _estimate(point.specificity)


def _estimate(found: Estimate) -> str:
    if found.value is None:
        return "-"
    interval = "" if found.low is None else f" ({found.low:.3f}-{found.high:.3f})"
    return f"{found.value:.3f}{interval}"


def _first(rejected: Sequence[Prediction]) -> str:
    if not rejected:
        return ""
    return f"; the first, {rejected[0].row.path}: {rejected[0].reason}"

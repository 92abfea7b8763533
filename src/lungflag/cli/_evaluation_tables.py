"""An evaluation as tables on the terminal."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table

from lungflag.cli._console import narrow_table, output, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lungflag.calibration import OperatingPoint
    from lungflag.evaluation import Estimate, Evaluation, Subgroup
    from lungflag.package import ModelPackage

_TITLES = {
    "sensitivity": "sensitivity (recall)",
    "precision": "precision (PPV)",
    "negative_predictive_value": "NPV",
    "f1": "F1",
    "class_weighted_recall": "class-weighted recall",
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier score",
}
_LISTED = 20


def show(
    evaluation: Evaluation,
    *,
    package: ModelPackage,
    operating_point: OperatingPoint,
    data: str,
    split: str,
    shift: Mapping[str, Any] | None = None,
) -> None:
    """Print the evaluation, and the shift bench as JSON values, to standard output."""
    count = evaluation.count
    judged, rejected = sum(count.judged.values()), sum(count.rejected.values())
    rows = "all rows" if split == "all" else f"split {split!r}"
    say(f"package          {package.name} {package.version}")
    say(
        f"operating point  {operating_point.name}: "
        f"flagged from probability {operating_point.threshold:.4g}"
    )
    say(f"data             {data}, {rows}: {count.images} images of {count.patients} patients")
    say(f"judged           {judged} ({_labels(count.judged)})")
    say(f"rejected         {rejected} ({_labels(count.rejected)})")
    for mark, images in evaluation.cohort.marked.items():
        say(f"marked           {images} x {mark}")
    for warning in evaluation.warnings:
        say(f"WARNING          {warning}")
    _print(_metrics("Judged images", evaluation.metrics))
    _print(_metrics("Calibration of the probability", _calibration(evaluation)))
    _print(_confusion(evaluation))
    if len(evaluation.operating_points) > 1:
        _print(_points(evaluation))
    if evaluation.rejected:
        by_intention = evaluation.intention_to_diagnose
        _print(_metrics("All images; a rejected one is a wrong answer", by_intention))
        _list_rejected(evaluation)
    for column, groups in groupby(evaluation.subgroups, key=lambda group: group.column):
        _print(_subgroups(column, list(groups)))
    if shift:
        _print(_shift(shift))


def _print(table: Table) -> None:
    output.print()
    output.print(table)


def _metrics(title: str, metrics: Mapping[str, Estimate]) -> Table:
    table = narrow_table(title)
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("images", justify="right")
    table.add_column("patients", justify="right")
    table.add_column("interval by")
    for name, found in metrics.items():
        table.add_row(
            _TITLES.get(name, name),
            _value(found),
            _interval(found),
            str(found.n),
            str(found.patients),
            found.note or found.method,
        )
    return table


def _calibration(evaluation: Evaluation) -> dict[str, Estimate]:
    found = evaluation.reliability
    return {
        "expected calibration error": found.calibration_error,
        "slope (1 is best)": found.slope,
        "intercept (0 is best)": found.intercept,
    }


def _points(evaluation: Evaluation) -> Table:
    table = narrow_table("The package's operating points on the same images")
    table.add_column("operating point")
    for name in ("threshold", "sensitivity", "specificity", "PPV", "NPV"):
        table.add_column(name, justify="right")
    for point in evaluation.operating_points:
        named = (
            f"{threshold:.4g}{f' {group}' if group else ''}"
            for group, threshold in point.thresholds.items()
        )
        figures = ("sensitivity", "specificity", "precision", "negative_predictive_value")
        table.add_row(
            point.name,
            "\n".join(named),
            *(f"{_value(point.metrics[n])}\n{_interval(point.metrics[n])}" for n in figures),
        )
    return table


def _shift(shift: Mapping[str, Any]) -> Table:
    """Return the shift bench in brief: how far AUROC falls, for each source."""
    images = f"{shift['images']} images of {shift['patients']} patients"
    table = narrow_table(f"Shift bench on {images}: how far AUROC falls")
    table.add_column("source")
    for name in ("severity", "mean", "largest"):
        table.add_column(name, justify="right")
    table.add_column("of")
    for name in shift["summaries"][0]["histogram_drops"]:
        table.add_column(name, justify="right")
    for one in shift["summaries"]:
        severity = "-" if one["severity"] is None else str(one["severity"])
        drops = [_drop(drop) for drop in one["histogram_drops"].values()]
        fall = (_drop(one["mean_drop"]), _drop(one["worst_drop"]))
        table.add_row(one["source"] or "all", severity, *fall, one["worst"], *drops)
    return table


def _drop(drop: float | None) -> str:
    return "-" if drop is None else f"{drop:.3f}"


def _confusion(evaluation: Evaluation) -> Table:
    table = narrow_table("Confusion matrix: images, and share of all judged")
    table.add_column("reference standard")
    table.add_column("flagged", justify="right")
    table.add_column("not flagged", justify="right")
    judged = sum(evaluation.count.judged.values())
    for label, cells in (
        ("pneumonia", ("true_positive", "false_negative")),
        ("normal", ("false_positive", "true_negative")),
    ):
        shares = [evaluation.confusion[cell] for cell in cells]
        table.add_row(
            label,
            *(
                f"{round((share.value or 0.0) * judged)}\n{_value(share)} ({_interval(share)})"
                for share in shares
            ),
        )
    return table


def _subgroups(column: str, groups: list[Subgroup]) -> Table:
    table = narrow_table(f"By {column}")
    table.add_column(column)
    for name in ("pneumonia", "normal", "rejected"):
        table.add_column(name, justify="right")
    for name in groups[0].metrics:
        table.add_column(_TITLES.get(name, name).removesuffix(" (recall)"), justify="right")
    for group in groups:
        counts = [group.count.judged["pneumonia"], group.count.judged["normal"]]
        table.add_row(
            group.value or "(empty)",
            *(str(n) for n in [*counts, sum(group.count.rejected.values())]),
            *(
                f"{_value(found)}{'*' * (group.borrowed and name == 'auroc')}\n{_interval(found)}"
                for name, found in group.metrics.items()
            ),
        )
    if any(group.borrowed for group in groups):
        table.caption = "* against the normal images of all groups"
        table.caption_justify = "left"
    return table


def _list_rejected(evaluation: Evaluation) -> None:
    reasons = Counter(one.reason for one in evaluation.rejected)
    say("")
    say(f"rejected: {'; '.join(f'{n} x {reason}' for reason, n in reasons.most_common(5))}")
    for one in evaluation.rejected[:_LISTED]:
        say(f"  {one.row.path} ({one.row.label}): {one.reason}")
    more = len(evaluation.rejected) - _LISTED
    if more > 0:
        say(f"  and {more} more: --json or --predictions lists them all")


def _labels(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {label}" for label, n in counts.items())


def _value(found: Estimate) -> str:
    return "-" if found.value is None else f"{found.value:.3f}"


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "-"
    return f"{found.low:.3f}{' to ' if found.low < 0 else '-'}{found.high:.3f}"

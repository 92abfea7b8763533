"""An evaluation as tables on the terminal."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from lungflag.cli._console import output, say

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
) -> None:
    """Print the evaluation to standard output."""
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
    for warning in evaluation.warnings:
        say(f"WARNING          {warning}")
    _print(_metrics("Judged images", evaluation.metrics))
    _print(_confusion(evaluation))
    if evaluation.rejected:
        by_intention = evaluation.intention_to_diagnose
        _print(_metrics("All images; a rejected one is a wrong answer", by_intention))
        _list_rejected(evaluation)
    for column, groups in groupby(evaluation.subgroups, key=lambda group: group.column):
        _print(_subgroups(column, list(groups)))


def _print(table: Table) -> None:
    output.print()
    output.print(table)


def _metrics(title: str, metrics: Mapping[str, Estimate]) -> Table:
    table = _table(title)
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


def _confusion(evaluation: Evaluation) -> Table:
    table = _table("Confusion matrix: images, and share of all judged")
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
    table = _table(f"By {column}")
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
            *(f"{_value(found)}\n{_interval(found)}" for found in group.metrics.values()),
        )
    return table


def _table(title: str) -> Table:
    """Return an empty table, narrow enough for 80 columns."""
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        show_edge=False,
    )


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
    return f"{found.low:.3f}-{found.high:.3f}"

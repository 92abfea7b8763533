"""The shift bench as tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from lungflag.cli._console import output, say

if TYPE_CHECKING:
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.shift import ProbeRow, ShiftResult, ShiftRow, ShiftSummary


def show_shift(result: ShiftResult) -> None:
    """Print the shift bench to standard output: rows at the severity that is summed up."""
    say("")
    say(
        f"shift bench      {result.images} of {result.available} images, {result.patients} patients"
    )
    for summary in result.summaries:
        say(f"{_name(summary.source):<16} {_brief(summary)}")
    for summary in result.summaries:
        _print(_rows(result, summary))
    if result.subtypes:
        _print(_subtypes(result))
    _print(_shortcuts(result))
    if result.hospitals:
        _print(_hospitals(result))
    if result.label_by_hospital is not None:
        say(f"AUC of knowing nothing but the source, over all rows: {result.label_by_hospital:.3f}")


def _brief(summary: ShiftSummary) -> str:
    parts = []
    if summary.mean_drop is not None and summary.worst_drop is not None:
        parts.append(
            f"mean AUROC drop at severity {summary.severity}: {summary.mean_drop:+.3f}; "
            f"worst {summary.worst}: {summary.worst_drop:+.3f}"
        )
    parts += [
        f"{name}: {drop:+.3f}" for name, drop in summary.histogram_drops.items() if drop is not None
    ]
    return "; ".join(parts) or "no drop could be measured"


def _rows(result: ShiftResult, summary: ShiftSummary) -> Table:
    severity = "" if summary.severity is None else f", severity {summary.severity}"
    table = _table(f"{_name(summary.source)}{severity}")
    table.add_column("corruption")
    for title in ("AUROC", "drop", "95% interval", "sens.", "spec.", "rejected"):
        table.add_column(title, justify="right")
    for row in result.rows:
        if row.source == summary.source and row.severity in (None, summary.severity):
            table.add_row(*_cells(row))
    return table


def _cells(row: ShiftRow) -> tuple[str, ...]:
    clean = row.corruption == "clean"
    return (
        row.corruption,
        _value(row.auroc),
        "" if clean or row.drop.value is None else f"{row.drop.value:+.3f}",
        "" if clean else _interval(row.drop),
        _value(row.sensitivity),
        _value(row.specificity),
        str(sum(row.rejected.values())),
    )


def _subtypes(result: ShiftResult) -> Table:
    table = _table("Subtypes against normal images, clean")
    table.add_column("source")
    table.add_column(result.subtypes[0].column)
    for title in ("images", "normal", "AUROC", "95% interval", "sensitivity"):
        table.add_column(title, justify="right")
    for row in result.subtypes:
        table.add_row(
            *(_name(row.source), row.value, str(row.positives), str(row.normals)),
            *(_value(row.auroc), _interval(row.auroc), _value(row.sensitivity)),
        )
    return table


def _shortcuts(result: ShiftResult) -> Table:
    table = _table("Can the label be told by global intensity alone? (AUC)")
    table.add_column("source")
    for title in ("images", "detector", "95% interval", "intensity", "95% interval"):
        table.add_column(title, justify="right")
    for row in result.shortcuts:
        found = (*_probe(row.detector), *_probe(row.intensity))
        table.add_row(_name(row.source), str(row.images), *found)
    return table


def _hospitals(result: ShiftResult) -> Table:
    table = _table("Can a source be told from the others within one label? (AUC, 0.5: no)")
    table.add_column("label")
    table.add_column("source")
    for title in ("images", "embedding", "95% interval", "probability", "95% interval"):
        table.add_column(title, justify="right")
    for row in result.hospitals:
        found = (*_probe(row.embedding), *_probe(row.probability))
        table.add_row(row.label, row.source, str(row.images), *found)
    return table


def _probe(probe: ProbeRow) -> tuple[str, str]:
    value = "-" if probe.auc is None else f"{probe.auc:.3f}"
    if probe.interval is None:
        return value, "-"
    return value, f"{probe.interval[0]:.3f}-{probe.interval[1]:.3f}"


def _name(source: str) -> str:
    return source or "all images"


def _value(found: Estimate) -> str:
    return "-" if found.value is None else f"{found.value:.3f}"


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "-"
    if found.low < 0:
        return f"{found.low:+.3f} to {found.high:+.3f}"
    return f"{found.low:.3f}-{found.high:.3f}"


def _print(table: Table) -> None:
    output.print()
    output.print(table)


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

"""A comparison as tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from lungflag.cli._console import output, say
from lungflag.evaluation.compare.figure import p_words

if TYPE_CHECKING:
    from lungflag.evaluation import Estimate
    from lungflag.evaluation.compare import Comparison, Contender, Difference

_TITLES = {"auroc": "AUROC", "sensitivity": "sensitivity", "specificity": "specificity",
           "accuracy": "accuracy"}  # fmt: skip
_LEGEND = (
    "p counts patients: DeLong's test for AUROC, McNemar's for decisions. Holm: p,",
    "adjusted for the number of comparisons. By image: p, taking every image for",
    "independent. Alone: images that only this : only the first package gets right.",
)
_LISTED = 20


def show(comparison: Comparison, record: dict[str, Any]) -> None:
    """Print the comparison to standard output; `record` is its JSON document."""
    common, split = comparison.common, record["data"]["split"]
    rows = "all rows" if split == "all" else f"split {split!r}"
    say(
        f"data      {record['data']['path']}, {rows}: "
        f"{common.images} images of {common.patients} patients"
    )
    say(
        f"compared  {sum(common.judged.values())} images that every package judged "
        f"({_labels(common.judged)})"
    )
    for warning in comparison.warnings:
        say(f"WARNING   {warning}")
    for table in (_packages(record), _figures(comparison), *_differences(comparison)):
        output.print()
        output.print(table)
    say("")
    for line in _LEGEND:
        say(line)
    if comparison.rejected:
        output.print()
        output.print(_by_intention(comparison))
        _list_rejected(record["rejected"])


def _packages(record: dict[str, Any]) -> Table:
    table = _table("Packages")
    table.add_column("package", overflow="fold")
    table.add_column("flagged from", overflow="fold")
    table.add_column("judged", justify="right")
    table.add_column("rejected", justify="right")
    for one in record["packages"]:
        point = one["operating_point"]
        groups = ", ".join(
            f"{threshold:.3g}{f' ({group})' if group else ''}"
            for group, threshold in point["thresholds"].items()
        )
        table.add_row(
            Text(one["name"]),
            Text(f"{groups} ({point['name']})"),
            str(sum(one["judged"].values())),
            str(sum(one["rejected"].values())),
        )
    return table


def _figures(comparison: Comparison) -> Table:
    table = _table("Judged by every package")
    table.add_column("package", overflow="fold")
    for title in _TITLES.values():
        table.add_column(title, justify="right")
    for one in comparison.contenders:
        table.add_row(Text(one.name), *(_estimate(one.metrics[name]) for name in _TITLES))
    return table


def _differences(comparison: Comparison) -> list[Table]:
    first, *others = comparison.contenders
    return [_difference_table(first, other) for other in others]


def _difference_table(first: Contender, other: Contender) -> Table:
    table = _table(f"{other.name} less {first.name}")
    table.add_column("metric")
    for title in ("difference", "95% interval", "p", "Holm", "by image", "alone"):
        table.add_column(title, justify="right")
    for name, title in _TITLES.items():
        found = other.differences[name]
        if found.value is None:
            table.add_row(title, "-", Text(found.note), "-", "-", "-", "-")
            continue
        table.add_row(
            title,
            f"{found.value:+.3f}",
            _between(found),
            *(_p(p) for p in (found.p, found.p_adjusted, found.p_unclustered)),
            _alone(found),
        )
    return table


def _between(found: Difference) -> Text:
    if found.low is None or found.high is None:
        return Text(found.note)
    return Text(f"{found.low:+.3f} to {found.high:+.3f}")


def _alone(found: Difference) -> str:
    """Return how many images only this package, and only the first, decides rightly."""
    return "" if found.first_only is None else f"{found.second_only} : {found.first_only}"


def _by_intention(comparison: Comparison) -> Table:
    table = _table("All images; a rejected one is a wrong answer")
    table.add_column("package", overflow="fold")
    names = [name for name in _TITLES if name in comparison.contenders[0].intention_to_diagnose]
    for name in names:
        table.add_column(_TITLES[name], justify="right")
    for one in comparison.contenders:
        table.add_row(
            Text(one.name), *(_estimate(one.intention_to_diagnose[name]) for name in names)
        )
    return table


def _list_rejected(rejected: list[dict[str, Any]]) -> None:
    say("")
    say(f"rejected by a package or more: {len(rejected)}")
    for one in rejected[:_LISTED]:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in one["reasons"].items())
        say(f"  {one['path']} ({one['label']}): {reasons}")
    more = len(rejected) - _LISTED
    if more > 0:
        say(f"  and {more} more: --json lists them all")


def _table(title: str) -> Table:
    return Table(
        title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True,
        pad_edge=False, show_edge=False,
    )  # fmt: skip


def _estimate(found: Estimate) -> str:
    if found.value is None:
        return "-"
    if found.low is None or found.high is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f}\n{found.low:.3f}-{found.high:.3f}"


def _p(p: float | None) -> str:
    return "-" if p is None else p_words(p).removeprefix("p").removeprefix("=")


def _labels(counts: dict[str, int] | Any) -> str:
    return ", ".join(f"{n} {label}" for label, n in counts.items())

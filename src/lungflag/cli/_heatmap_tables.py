"""A study of heatmaps as tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from lungflag.cli._console import output, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lungflag.evaluation import Estimate
    from lungflag.evaluation.heatmaps import HeatmapStudy, Randomisation

    Groups = Mapping[str, Mapping[str, Estimate]]


def show(study: HeatmapStudy, *, package: str, operating_point: str, data: str, split: str) -> None:
    """Print the study to standard output."""
    rows = "all rows" if split == "all" else f"split {split!r}"
    flagged = sum(one.flagged for one in study.readings)
    say(f"package          {package}, operating point {operating_point}")
    say(f"data             {data}, {rows}: {len(study.readings)} judged, {flagged} flagged")
    say(f"rejected         {len(study.rejected)}")
    for one in study.rejected:
        say(f"                 {one.source}: {one.reason}")
    near = f"peak within {study.tolerance:.0%} of the longer side"
    still = f"peak moves by at most {study.tolerance:.0%} of the sides"
    _print(
        "Pointing game",
        study.pointing,
        {"hit": "peak within a lesion", "near": f"{near} of a lesion"},
    )
    _print(
        "Lung fields",
        study.lungs,
        {
            "inside": "share of positive activation within",
            "area": "share of the film's area (no aim)",
            "excess": "difference of the two",
            "peak": "peak within",
        },
    )
    _print(
        "Mirrored film, its map mirrored back",
        study.flip,
        {
            "correlation": "correlation of the maps",
            "distance": "distance of the peaks, in sides",
            "still": still,
        },
    )
    if study.randomisation:
        _weights(study.randomisation)


def _print(title: str, groups: Groups, names: Mapping[str, str]) -> None:
    table = _table(title, "films", "figure")
    for group, estimates in groups.items():
        for name, words in names.items():
            found = estimates[name]
            table.add_row(group, words, *_cells(found))
        table.add_section()
    output.print()
    output.print(table)


def _weights(found: Randomisation) -> None:
    table = _table("Random weights from the output down", "random layers", "down to")
    for depth in found.depths:
        name = ".".join(depth.deepest.split(".")[-4:])  # the outer modules say nothing
        table.add_row(f"{depth.layers} of {found.layers}", name, *_cells(depth.similarity))
    table.add_section()
    table.add_row("none", "another film's map", *_cells(found.another_film))
    output.print()
    output.print(table)
    if found.passed:
        say("The maps depend on the weights: those of a wholly random network are others.")
    else:
        say("WARNING: the maps of a wholly random network resemble those of the package.")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for column in ("value", "95% interval", "n"):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _cells(found: Estimate) -> tuple[str, str, str]:
    if found.value is None:
        return "-", found.note, "0"
    ends = found.low is not None and found.high is not None
    interval = f"{found.low:.3f} to {found.high:.3f}" if ends else found.note
    return f"{found.value:.3f}", interval, str(found.n)

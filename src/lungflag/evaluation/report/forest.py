"""Forest plots: one metric over the subgroups of a column, beside that of all images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.data.audit.concerns import plain
from lungflag.evaluation.report import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from matplotlib.axes import Axes

    from lungflag.evaluation.evaluate import Subgroup
    from lungflag.evaluation.intervals import Estimate

SHOWN = 24
_LETTERS = 22


def forest(
    name: str, metric: str, title: str, groups: Sequence[Subgroup], everyone: Estimate
) -> Markup | None:
    """Draw `metric` for each of `groups`, and for all; None where no group has it.

    Parameters
    ----------
    name : str
        Unique within the page.
    metric, title : str
        A name of `Subgroup.metrics`, and what to call it.
    groups : Sequence[Subgroup]
        Of one column. The first `SHOWN` are drawn.
    everyone : Estimate
        The metric over all judged images.
    """
    shown = [(group.value or "(not stated)", group.metrics[metric]) for group in groups]
    known = [(value, found) for value, found in shown if found.value is not None][:SHOWN]
    if not known or everyone.value is None:
        return None

    def paint(axes: Axes) -> None:
        rows = [*known, ("all", everyone)]
        for place, (_, found) in enumerate(rows):
            total = place == len(known)
            _row(axes, place, found, colour=style.INK if total else style.DETECTOR, total=total)
        axes.axvline(everyone.value or 0, color=style.QUIET, lw=1, ls=(0, (2, 3)), zorder=0)
        axes.set_yticks(range(len(rows)), [f"{_short(v)} (n={f.n})" for v, f in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(min(_low(axes), 0.9), 1.01)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(title)

    return style.draw(name, paint, height=0.85 + 0.3 * (len(known) + 1))


def _row(axes: Axes, place: int, found: Estimate, *, colour: str, total: bool) -> None:
    if found.low is not None and found.high is not None:
        axes.plot([found.low, found.high], [place] * 2, color=colour, lw=1.8, clip_on=False)
    axes.plot(
        [found.value or 0.0], [place], marker="D" if total else "s", ms=6, color=colour, ls="none",
        clip_on=False,
    )  # fmt: skip


def _low(axes: Axes) -> float:
    """Return the left end, somewhat below the lowest thing drawn, and never far below 0."""
    lowest = float(axes.dataLim.x0)
    return max(-0.01, lowest - 0.08 * (1 - lowest))


def _short(text: str) -> str:
    line = plain(text)
    return line if len(line) <= _LETTERS else f"{line[: _LETTERS - 1]}…"

"""The report's figures over thresholds: ROC, precision-recall, calibration, benefit, scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from lungflag.evaluation.operating import predictive
from lungflag.evaluation.report import style

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from markupsafe import Markup
    from matplotlib.axes import Axes

    from lungflag.evaluation.curves import Curve, Curves
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.operating import AtPoint
    from lungflag.evaluation.reliability import Reliability

_CORNER = 0.25  # of sensitivity and of false alarms: what the ROC curve enlarges
_PERCENT = PercentFormatter(1)


def roc(curves: Curves, points: Sequence[AtPoint]) -> Markup:
    """Draw sensitivity over false alarms, with every operating point and its intervals."""

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=style.QUIET, lw=1, ls=(0, (2, 3)))
        _curve(axes, curves.roc)
        _marks(axes, points)
        _unit_axes(axes, "1 - specificity (false alarms among normals)", "sensitivity")
        _corner(axes, curves.roc, points)
        _legend(axes)

    return style.draw("roc", paint, height=style.WIDTH * 0.98)


def precision_recall(curves: Curves, points: Sequence[AtPoint], prevalence: float) -> Markup:
    """Draw precision over sensitivity; `prevalence` is what flagging at random would reach."""

    def paint(axes: Axes) -> None:
        axes.axhline(prevalence, color=style.QUIET, lw=1, ls=(0, (2, 3)))
        curve = curves.precision_recall
        axes.fill_between(curve.grid, curve.low, curve.high, color=style.DETECTOR, alpha=0.18, lw=0)
        axes.step(curve.x, curve.y, where="post", color=style.DETECTOR)
        for look, point in _looks(points):
            sensitivity = _ends(point.metrics["sensitivity"])
            precision = _ends(point.metrics["precision"])
            if sensitivity and precision:
                _cross(axes, sensitivity, precision, look, point.name)
        _unit_axes(axes, "sensitivity (recall)", "positive predictive value (precision)")
        _legend(axes)

    return style.draw("pr", paint, height=style.WIDTH * 0.98)


def calibration(found: Reliability) -> Markup:
    """Draw the share of pneumonia seen over the probability stated, a dot a bin."""

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=style.QUIET, lw=1, ls=(0, (2, 3)), label="perfect")
        largest = max((one.observed.n for one in found.bins), default=0)
        label: str | None = "seen, with 95% interval"
        for one in found.bins:
            if one.predicted is None or one.observed.value is None:
                continue
            if one.observed.low is not None and one.observed.high is not None:
                ends = [one.observed.low, one.observed.high]
                axes.plot([one.predicted] * 2, ends, color=style.DETECTOR, lw=1.4)
            area = 18 + 110 * one.observed.n / largest
            axes.scatter(
                [one.predicted], [one.observed.value], s=area, color=style.DETECTOR,
                edgecolor=style.PAPER, lw=0.8, zorder=3, label=label,
            )  # fmt: skip
            label = None
        _unit_axes(axes, "probability stated", "share with pneumonia")
        _legend(axes)

    return style.draw("calibration", paint, height=style.WIDTH * 0.98)


def decision(curves: Curves, points: Sequence[AtPoint]) -> Markup:
    """Draw the net benefit of the detector beside those of flagging all and none."""

    def paint(axes: Axes) -> None:
        benefit = curves.net_benefit
        top = max(float(benefit.y.max()), float(curves.flag_all.max()), 0.05)
        axes.plot(benefit.x, curves.flag_all, color=style.QUIET, lw=1.3, ls="--", label="flag all")
        axes.axhline(0, color=style.INK, lw=1, label="flag none")
        _curve(axes, benefit, label="flag by this detector")
        axes.set_ylim(-0.15 * top, 1.12 * top)
        for look, point in _looks(points):
            for threshold in point.thresholds.values():
                axes.plot(
                    [threshold], [-0.11 * top], marker=look[1], color=look[0], ms=6, clip_on=False
                )
        axes.set_xlim(0, 1)
        axes.set_xlabel("threshold probability")
        axes.set_ylabel("net benefit (true positives per image)")
        _legend(axes)

    return style.draw("decision", paint)


def scores(curves: Curves, points: Sequence[AtPoint]) -> Markup:
    """Draw how the probabilities are spread under each label, on a logarithmic count."""

    def paint(axes: Axes) -> None:
        counts = curves.scores
        edges = np.linspace(0, 1, len(counts["normal"]) + 1)
        for label, colour, side in (
            ("normal", style.NORMAL, -1.0),
            ("pneumonia", style.PNEUMONIA, 1.0),
        ):
            width = (edges[1] - edges[0]) * 0.44
            middle = (edges[1:] + edges[:-1]) / 2 + side * width / 2
            axes.bar(middle, counts[label], width, color=colour, label=label)
        axes.set_yscale("symlog", linthresh=1, linscale=0.35)
        most = max(int(each.max()) for each in counts.values())
        axes.set_ylim(0, 5 * most)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        for look, point in _looks(points):
            for threshold in point.thresholds.values():
                axes.axvline(threshold, ymax=0.86, color=look[0], lw=1.1, ls=(0, (4, 2)))
                axes.plot([threshold], [2.6 * most], marker=look[1], color=look[0], ms=6)
        axes.set_xlim(0, 1)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("probability stated")
        axes.set_ylabel("images (logarithmic)")
        _legend(axes)

    return style.draw("scores", paint)


def predictive_values(points: Sequence[AtPoint]) -> tuple[Markup, Markup]:
    """Draw positive and negative predictive value over prevalence, a line an operating point."""
    shares = np.geomspace(0.005, 0.6, 60).tolist()

    def painter(sign: str) -> Callable[[Axes], None]:
        def paint(axes: Axes) -> None:
            for look, point in _looks(points):
                found = predictive(
                    point.metrics["sensitivity"], point.metrics["specificity"], shares
                )
                rates = [(one.prevalence, getattr(one, sign)) for one in found]
                known = [(share, rate) for share, rate in rates if rate is not None]
                if not known:
                    continue
                x = [share for share, _ in known]
                lows, highs = [r.low for _, r in known], [r.high for _, r in known]
                axes.fill_between(x, lows, highs, color=look[0], alpha=0.16, lw=0)
                axes.plot(x, [rate.value for _, rate in known], color=look[0])
                axes.plot(
                    x[::12], [rate.value for _, rate in known[::12]], color=look[0],
                    marker=look[1], ms=5, ls="none", label=point.name,
                )  # fmt: skip
            axes.set_xscale("log")
            axes.set_xticks([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
            axes.yaxis.set_major_formatter(_PERCENT)
            axes.set_xlabel("prevalence of pneumonia")
            axes.set_ylabel(f"{sign} predictive value")
            if sign == "positive":
                axes.set_ylim(0, 1.02)
            _legend(axes)

        return paint

    return style.draw("ppv", painter("positive")), style.draw("npv", painter("negative"))


def _corner(axes: Axes, curve: Curve, points: Sequence[AtPoint]) -> None:
    """Enlarge the upper left corner where a good detector has all its operating points."""
    places = [
        (1 - specificity[0], sensitivity[0])
        for point in points
        if (specificity := _ends(point.metrics["specificity"]))
        and (sensitivity := _ends(point.metrics["sensitivity"]))
    ]
    if not places or any(x > _CORNER or y < 1 - _CORNER for x, y in places):
        return
    # A blank panel first: grid and diagonal must not run through the inset's tick labels.
    panel = Rectangle(
        (0.22, 0.02), 0.77, 0.74, transform=axes.transAxes, fc=style.PAPER, ec="none", zorder=2.5
    )
    axes.add_patch(panel)
    inset = axes.inset_axes((0.36, 0.1, 0.6, 0.58))
    _curve(inset, curve)
    _marks(inset, points)
    inset.set_xlim(-0.01, _CORNER)
    inset.set_ylim(1 - _CORNER, 1.01)
    inset.set_title("the upper left corner, enlarged", fontsize=9, pad=4)


def _curve(axes: Axes, curve: Curve, label: str | None = None) -> None:
    axes.fill_between(curve.grid, curve.low, curve.high, color=style.DETECTOR, alpha=0.18, lw=0)
    axes.plot(curve.x, curve.y, color=style.DETECTOR, label=label)


def _marks(axes: Axes, points: Sequence[AtPoint]) -> None:
    for look, point in _looks(points):
        specificity = _ends(point.metrics["specificity"])
        sensitivity = _ends(point.metrics["sensitivity"])
        if specificity and sensitivity:
            value, low, high = specificity
            _cross(axes, (1 - value, 1 - high, 1 - low), sensitivity, look, point.name)


def _looks(points: Sequence[AtPoint]) -> Iterator[tuple[tuple[str, str], AtPoint]]:
    """Yield each operating point with its colour and marker, the same in every figure."""
    for i, point in enumerate(points):
        yield (style.POINTS[i % len(style.POINTS)], style.MARKERS[i % len(style.MARKERS)]), point


def _ends(found: Estimate) -> tuple[float, float, float] | None:
    """Return value, low and high, without an interval the value alone, or None without either."""
    if found.value is None:
        return None
    if found.low is None or found.high is None:
        return found.value, found.value, found.value
    return found.value, found.low, found.high


def _cross(
    axes: Axes,
    x: tuple[float, float, float],
    y: tuple[float, float, float],
    look: tuple[str, str],
    label: str,
) -> None:
    colour, marker = look
    axes.plot(x[1:], [y[0]] * 2, color=colour, lw=1.4, solid_capstyle="butt")
    axes.plot([x[0]] * 2, y[1:], color=colour, lw=1.4, solid_capstyle="butt")
    axes.plot(
        [x[0]], [y[0]], marker=marker, ms=7, color=colour, mec=style.PAPER, mew=0.9, ls="none",
        label=label, zorder=4,
    )  # fmt: skip


def _unit_axes(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.015, 1.015)
    axes.set_ylim(-0.015, 1.015)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_aspect("equal")


def _legend(axes: Axes) -> None:
    """Put the legend above the axes, where no curve can be."""
    labels = axes.get_legend_handles_labels()[1]
    if labels:
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(3, len(labels)),
            columnspacing=1.2, handletextpad=0.5,
        )  # fmt: skip

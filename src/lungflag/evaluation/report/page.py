"""Write the report: the evaluation's JSON record, drawn as one page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from lungflag.card import render as render_card
from lungflag.data.audit.concerns import plain
from lungflag.errors import LungflagError
from lungflag.evaluation.report import figures, words
from lungflag.evaluation.report.card import FOREMOST, RECORD, parts
from lungflag.evaluation.report.forest import forest
from lungflag.outcome import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lungflag.evaluation.curves import Curves
    from lungflag.evaluation.evaluate import Evaluation
    from lungflag.evaluation.report.pictures import Shot
    from lungflag.package import ModelPackage

PAGE, FIGURES = "index.html", "report.json"

_FORESTS = {"sensitivity": "sensitivity", "specificity": "specificity", "auroc": "AUROC"}


@dataclass(frozen=True, slots=True)
class Report:
    """What a report is made of.

    Attributes
    ----------
    record : Mapping[str, Any]
        The JSON document of the evaluation. Every figure of the page is taken from it.
    evaluation : Evaluation
        What the record was made from.
    curves : Curves or None
        None where a class is missing.
    package : ModelPackage
        The index test.
    hardest : Mapping[str, Sequence[Shot]]
        Label to the radiographs that agree least with it.
    rejected : Sequence[Shot]
        Some of the rejected images.
    """

    record: Mapping[str, Any]
    evaluation: Evaluation
    curves: Curves | None
    package: ModelPackage
    hardest: Mapping[str, Sequence[Shot]]
    rejected: Sequence[Shot]


def write_report(report: Report, folder: Path) -> Path:
    """Write ``index.html``, which needs no other file, and ``report.json``; return the page's path.

    Raises
    ------
    LungflagError
        If the folder cannot be written.
    """
    page = render(report)
    record = json.dumps(report.record, indent=2, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FIGURES).write_text(record, encoding="utf-8")
        (folder / PAGE).write_text(page, encoding="utf-8")
    except OSError as error:
        raise LungflagError(f"{folder}: cannot hold the report ({error.strerror})") from error
    return folder / PAGE


def render(report: Report) -> str:
    """Return the page."""
    room = files("lungflag.evaluation.report")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (room / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(words.FILTERS)
    card = parts(render_card(report.package))
    page: str = environment.get_template("page.html").render(
        style=Markup((room / "style.css").read_text(encoding="utf-8")),  # noqa: S704  # our own
        date=datetime.now(UTC).date().isoformat(),
        record=report.record,
        foremost={title: card[title] for title in FOREMOST if title in card},
        rest={title: card[title] for title in RECORD if title in card},
        figures=_figures(report),
        forests=_forests(report),
        hardest=report.hardest,
        rejected=report.rejected,
        codes=CODES,
        titles=words.TITLES,
    )
    return page


def _printable(value: object) -> object:
    """Escape what cannot be shown in names that other people chose."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _figures(report: Report) -> dict[str, Markup]:
    curves, points = report.curves, report.evaluation.operating_points
    drawn = {"calibration": figures.calibration(report.evaluation.reliability)}
    if curves is None:
        return drawn
    prevalence = report.evaluation.metrics["prevalence"].value or 0.0
    drawn |= {
        "roc": figures.roc(curves, points),
        "precision_recall": figures.precision_recall(curves, points, prevalence),
        "decision": figures.decision(curves, points),
        "scores": figures.scores(curves, points),
    }
    drawn["ppv"], drawn["npv"] = figures.predictive_values(points)
    return drawn


def _forests(report: Report) -> dict[str, list[Markup]]:
    """Return the forest plots of each column that subgroups were formed by."""
    evaluation = report.evaluation
    found = {}
    columns = groupby(evaluation.subgroups, key=lambda group: group.column)
    for number, (column, groups) in enumerate(columns):
        members = list(groups)
        plots = [
            forest(f"forest{number}{metric}", metric, title, members, evaluation.metrics[metric])
            for metric, title in _FORESTS.items()
        ]
        found[column] = [plot for plot in plots if plot is not None]
    return found

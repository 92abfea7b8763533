"""`lungflag compare`: several packages on the same labelled images."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lungflag.data.manifest import Manifest
    from lungflag.detector import Detector
    from lungflag.evaluation import Prediction
    from lungflag.package import ModelPackage


def compare(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="PACKAGE... DATA",
            help="Two or more packages, by shipped name or folder; last, the data set: a manifest "
            "(CSV), or anything that `lungflag data` reads. The others are compared with the "
            "first package.",
            show_default=False,
        ),
    ],
    split: Annotated[
        str | None,
        typer.Option(
            help="train, tune, test or all. By default test, else tune, else all.",
            show_default=False,
        ),
    ] = None,
    operating_point: Annotated[
        str | None,
        typer.Option(help="Of every package; each one's default where none is given."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to this JSON file.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw a forest plot to this .png or .svg file.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Images read and judged at a time.")] = 1,
) -> None:
    """Compare detectors on the same images: differences, 95% intervals, tests by patient.

    Example: lungflag compare guangzhou packages/mine manifest.csv --split test --figure forest.png

    AUROC by DeLong's test and decisions by McNemar's, both with patients as clusters.

    Only images that every package judged are compared. Rejected ones are counted by package: exit
    code 1.
    """
    from lungflag._extras import require
    from lungflag.cli import _comparison_tables as tables
    from lungflag.data.sources import open_data
    from lungflag.detector import Detector
    from lungflag.evaluation import choose_split
    from lungflag.evaluation.compare import compare as compare_predictions
    from lungflag.evaluation.compare import comparison_document, draw_comparison

    require("scipy.stats", feature="lungflag compare", extra="evidence")
    words, data = _told_apart(arguments)
    _check_targets(json_file, figure)
    chosen, manifest = choose_split(open_data(data), split)
    loaded = [Detector.load(word, threads=1 if jobs > 1 else None) for word in words]
    detectors = dict(zip(_names(words, [one.package for one in loaded]), loaded, strict=True))
    for detector in loaded:
        detector.package.operating_point(operating_point)

    predictions = _judge(detectors, manifest, operating_point, jobs)
    comparison = compare_predictions(predictions)
    record = comparison_document(
        comparison,
        packages={name: detector.package for name, detector in detectors.items()},
        predictions=predictions,
        operating_point=operating_point,
        data=str(data),
        split=chosen,
    )
    if json_file:
        json_file.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", "utf-8")
    if figure:
        figure.write_bytes(draw_comparison(comparison, figure.suffix))
    tables.show(comparison, record)
    if comparison.rejected:
        raise typer.Exit(1)


def _told_apart(arguments: Sequence[str]) -> tuple[list[str], Path]:
    """Return the packages and the data set."""
    from lungflag.errors import LungflagError
    from lungflag.package import RECORD, shipped_packages

    *words, last = arguments
    data = Path(last)
    if (last in shipped_packages() and not data.exists()) or (data / RECORD).is_file():
        raise LungflagError(
            f"{last}: is a model package; the last argument is the data set to compare on"
        )
    if len(words) < 2:
        raise LungflagError(
            "a comparison needs two or more packages and then the data set: "
            "lungflag compare PACKAGE PACKAGE DATA"
        )
    twice = [word for word, n in Counter(words).items() if n > 1]
    if twice:
        raise LungflagError(f"{twice[0]}: given twice; name each package once")
    return words, data


def _names(words: Sequence[str], packages: Sequence[ModelPackage]) -> list[str]:
    """Return a name for each package: its own, and with its version or as given where needed."""
    short = [package.name for package in packages]
    long = [f"{package.name} {package.version}" for package in packages]
    return [
        short[place]
        if short.count(short[place]) == 1
        else long[place]
        if long.count(long[place]) == 1
        else word
        for place, word in enumerate(words)
    ]


def _check_targets(json_file: Path | None, figure: Path | None) -> None:
    """Fail before the work, not after it, where a result could not be written."""
    from lungflag._extras import require
    from lungflag.cli._targets import check_target
    from lungflag.errors import LungflagError
    from lungflag.evaluation.compare import FIGURE_SUFFIXES

    if figure is not None:
        if figure.suffix not in FIGURE_SUFFIXES:
            raise LungflagError(f"{figure}: the figure's name must end in .png or .svg")
        require("matplotlib", feature="lungflag compare --figure", extra="evidence")
    for path in (json_file, figure):
        check_target(path)


def _judge(
    detectors: dict[str, Detector], manifest: Manifest, operating_point: str | None, jobs: int
) -> dict[str, list[Prediction]]:
    """Return every package's predictions for all rows, with progress on standard error."""
    from rich.progress import Progress

    from lungflag.cli._console import errors
    from lungflag.evaluation import predict

    found: dict[str, list[Prediction]] = {}
    with Progress(console=errors, disable=not errors.is_terminal) as progress:
        for name, detector in detectors.items():
            judged = predict(detector, manifest, operating_point=operating_point, jobs=jobs)
            found[name] = list(progress.track(judged, total=len(manifest), description=name))
    return found

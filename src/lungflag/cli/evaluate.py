"""`lungflag evaluate`: how well a package does on labelled images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lungflag.data.manifest import Manifest
    from lungflag.detector import Detector
    from lungflag.evaluation import Prediction


def evaluate(
    package: Annotated[
        str, typer.Argument(help="A shipped package's name, or a package's folder.")
    ],
    data: Annotated[
        Path, typer.Argument(help="A manifest (CSV), or a data set as `lungflag data` reads it.")
    ],
    split: Annotated[
        str | None,
        typer.Option(
            help="train, tune, test or all. By default test, else tune, else all.",
            show_default=False,
        ),
    ] = None,
    operating_point: Annotated[
        str | None, typer.Option(help="Of the package; its default one where none is given.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="A column of the manifest to form subgroups by. Repeatable."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to this JSON file.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Write one row an image to this CSV file.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Images read and judged at a time.")] = 1,
) -> None:
    """Measure a detector against the reference standard, with 95% intervals.

    Example: lungflag evaluate guangzhou manifest.csv --split test --by subtype --json figures.json

    Every interval counts patients, not images.

    Rejected images are listed and counted, never taken as normal: exit code 1.
    """
    from lungflag._extras import require
    from lungflag.cli import _evaluation_tables as tables
    from lungflag.data.sources import open_data
    from lungflag.detector import Detector
    from lungflag.evaluation import (
        assess,
        check_columns,
        choose_split,
        document,
        write_predictions,
    )

    require("scipy.stats", feature="lungflag evaluate", extra="evidence")
    for target in (json_file, predictions):
        _check_target(target)
    detector = Detector.load(package, threads=1 if jobs > 1 else None)
    point = detector.package.operating_point(operating_point)
    chosen, manifest = choose_split(open_data(data), split)
    check_columns(manifest, by or ())

    judged = _judge(detector, manifest, point.name, jobs)
    if predictions:
        write_predictions(judged, predictions)
    evaluation = assess(judged, by=by or ())
    if json_file:
        record = document(
            evaluation,
            package=detector.package,
            operating_point=point,
            data=str(data),
            split=chosen,
        )
        json_file.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", "utf-8")
    tables.show(
        evaluation,
        package=detector.package,
        operating_point=point,
        data=str(data),
        split=chosen,
    )
    if evaluation.rejected:
        raise typer.Exit(1)


def _judge(
    detector: Detector, manifest: Manifest, operating_point: str, jobs: int
) -> list[Prediction]:
    """Return the predictions for all rows, with a progress bar on standard error."""
    from rich.progress import track

    from lungflag.cli._console import errors
    from lungflag.evaluation import predict

    return list(
        track(
            predict(detector, manifest, operating_point=operating_point, jobs=jobs),
            description="judging",
            total=len(manifest),
            console=errors,
            disable=not errors.is_terminal,
        )
    )


def _check_target(path: Path | None) -> None:
    """Fail before the work, not after it, where a result could not be written."""
    from lungflag.errors import LungflagError

    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        raise LungflagError(f"{path}: cannot be written ({error.strerror})") from error

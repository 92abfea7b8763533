"""`lungflag evaluate`: how well a package does on labelled images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lungflag.data.manifest import Manifest
    from lungflag.detector import Detector
    from lungflag.evaluation import Curves, Evaluation, Prediction

SHIFT_IMAGES = 120


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
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a page for people here, and report.json."),
    ] = None,
    shift: Annotated[
        bool, typer.Option("--shift", help="Also run the shift bench on a sample of the images.")
    ] = False,
    shift_images: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many images the shift bench takes.")
    ] = SHIFT_IMAGES,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to this JSON file.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Write one row an image to this CSV file.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Images read and judged at a time.")] = 1,
) -> None:
    """Measure a detector against the reference standard, with 95% intervals.

    Example: lungflag evaluate guangzhou manifest.csv --split test --by subtype --report evidence

    Every interval counts patients, not images.

    Rejected images are listed and counted, never taken as normal: exit code 1.
    """
    from lungflag._extras import require
    from lungflag.cli import _evaluation_tables as tables
    from lungflag.cli._targets import check_target
    from lungflag.data.sources import open_data
    from lungflag.detector import Detector
    from lungflag.evaluation import (
        assess,
        check_columns,
        choose_split,
        document,
        judged_cases,
        trace,
        write_predictions,
    )

    require("scipy.stats", feature="lungflag evaluate", extra="evidence")
    for target in (json_file, predictions):
        check_target(target)
    if report:
        from lungflag.evaluation.report import prepare_report

        prepare_report(report)
    detector = Detector.load(package, threads=1 if jobs > 1 else None)
    point = detector.package.operating_point(operating_point)
    chosen, manifest = choose_split(open_data(data), split)
    check_columns(manifest, by or ())

    judged = _judge(detector, manifest, point.name, jobs)
    if predictions:
        write_predictions(judged, predictions)
    evaluation = assess(
        judged, by=_columns(manifest, by), operating_points=detector.package.operating_points
    )
    curves = trace(judged_cases(judged)) if json_file or report else None
    record = document(
        evaluation,
        package=detector.package,
        operating_point=point,
        data=str(data),
        split=chosen,
        curves=curves,
        shift=_shift(detector, manifest, point.name, shift_images, jobs) if shift else None,
    )
    if json_file:
        json_file.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", "utf-8")
    tables.show(
        evaluation,
        package=detector.package,
        operating_point=point,
        data=str(data),
        split=chosen,
        shift=record["shift"],
    )
    if report:
        _report(report, detector, record, evaluation, curves, point.name)
    if evaluation.rejected:
        raise typer.Exit(1)


def _columns(manifest: Manifest, by: list[str] | None) -> list[str]:
    """Return the columns asked for; several sources are always told apart."""
    several = len({row.source for row in manifest}) > 1
    return [*(["source"] if several else []), *(by or ())]


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


def _shift(
    detector: Detector, manifest: Manifest, operating_point: str, images: int, jobs: int
) -> dict[str, Any]:
    """Run the shift bench on a sample, with a progress bar on standard error."""
    from rich.progress import Progress

    from lungflag.cli._console import errors
    from lungflag.evaluation.shift import run_shift

    with Progress(console=errors, disable=not errors.is_terminal, transient=True) as progress:
        task = progress.add_task("shift bench", total=min(images, len(manifest)))
        found = run_shift(
            detector,
            manifest,
            limit=images,
            operating_point=operating_point,
            jobs=jobs,
            advance=lambda: progress.advance(task),
        )
    return found.to_dict()


def _report(
    folder: Path,
    detector: Detector,
    record: dict[str, Any],
    evaluation: Evaluation,
    curves: Curves | None,
    operating_point: str,
) -> None:
    from lungflag.cli._console import say
    from lungflag.evaluation.report.page import Report, write_report
    from lungflag.evaluation.report.pictures import hardest_shots, rejected_shots
    from lungflag.outputs.overlay import draw_heatmap

    page = write_report(
        Report(
            record=record,
            evaluation=evaluation,
            curves=curves,
            package=detector.package,
            hardest=hardest_shots(
                detector, evaluation.hardest, draw_heatmap, operating_point=operating_point
            ),
            rejected=rejected_shots(evaluation.rejected),
        ),
        folder,
    )
    say("")
    say(f"report           {page}")

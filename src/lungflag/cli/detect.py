"""`lungflag detect`: judge radiographs."""

from __future__ import annotations

from contextlib import nullcontext
from enum import StrEnum
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lungflag.cli._detect_tables import Tally
    from lungflag.outcome import Outcome
    from lungflag.outputs.table import Row


class AgeGroup(StrEnum):
    """Whom an operating point may be for."""

    CHILD = "child"
    ADULT = "adult"


class Engine(StrEnum):
    """What judges an archive."""

    LOCAL = "local"
    RAY = "ray"


def detect(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files, and folders of them. With --engine also URLs (s3://bucket/films) and "
            "manifests (.csv with a column path).",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="A shipped package's name or a package's folder.",
            show_default="guangzhou",
        ),
    ] = None,
    operating_point: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the model; its default one where none is given."),
    ] = None,
    age_group: Annotated[
        AgeGroup | None,
        typer.Option(help="Whose threshold to use, where a header tells no age."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write every row to this .jsonl, .csv or .parquet. With --engine: to this folder "
            "of Parquet shards.",
        ),
    ] = None,
    overlays: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw a PNG with heatmap and legend for every finding."),
    ] = None,
    dicom: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write a DICOM SR, and the overlay, for every DICOM input."
        ),
    ] = None,
    fhir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a FHIR R4 bundle for every DICOM input."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Images worked on at a time.",
            show_default="the CPUs, at most 8",
        ),
    ] = None,
    engine: Annotated[
        Engine | None,
        typer.Option(help="Judge an archive: in threads here, or on a Ray cluster."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the table of a run that was stopped.")
    ] = False,
    batch: Annotated[
        int,
        typer.Option(
            min=1,
            max=1_000_000,
            help="With --engine: rows of a shard; so many are lost at most when it is killed.",
        ),
    ] = 1024,
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="The cluster's head, or auto.",
            show_default="a cluster of this machine alone",
        ),
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print rows as JSON lines, as they come.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but the summary.")
    ] = False,
) -> None:
    """Flag suspected pneumonia in chest radiographs.

    Example: lungflag detect studies/ film.dcm --table findings.csv --overlays overlays

    Every input gets a row; one that may not be judged is rejected (exit code 1).

    Folders are searched, but for hidden files, DICOMDIR and manifest.csv + masks.

    Archives: lungflag detect s3://bucket/films --engine local --table findings.parquet --resume
    """
    if engine or resume:
        from lungflag.cli._detect_bulk import detect_bulk
        from lungflag.detector import DEFAULT_MODEL

        if overlays or dicom or fhir or json_lines:
            raise LungflagError("--overlays, --dicom, --fhir and --json do not go with --engine")
        whole = detect_bulk(
            paths,
            engine=engine or Engine.LOCAL,
            table=table,
            resume=resume,
            batch=batch,
            address=ray_address,
            model=model or DEFAULT_MODEL,
            operating_point=operating_point,
            age_group=age_group or "",
            jobs=jobs,
            quiet=quiet,
        )
        raise typer.Exit(0 if whole else 1)
    for path in paths:
        if "://" in path:
            raise LungflagError(f"{path}: a URL needs --engine local and --table FOLDER")
    from lungflag.cli._console import errors
    from lungflag.cli._detect_outputs import Outputs
    from lungflag.cli._detect_tables import Tally
    from lungflag.cli._inputs import find_inputs
    from lungflag.detector import DEFAULT_MODEL, Detector, usable_cpus
    from lungflag.outputs.table import open_table, to_row

    sink = open_table(table) if table else nullcontext(None)
    inputs = find_inputs(map(Path, paths), without=(table, overlays, dicom, fhir))
    jobs = min(jobs or min(usable_cpus(), 8), len(inputs))
    detector = Detector.load(model or DEFAULT_MODEL, threads=1 if jobs > 1 else None)
    detector.package.operating_point(operating_point)
    outputs = Outputs(overlays=overlays, dicom=dicom, fhir=fhir)
    started, tally = perf_counter(), Tally()
    with sink as write:
        outcomes = detector.detect_many(
            inputs,
            operating_point=operating_point,
            age_group=age_group.value if age_group else "",
            jobs=jobs,
            on_finding=partial(outputs.picture, detector.package),
        )
        try:
            for outcome in _track(outcomes, len(inputs), hidden=quiet or json_lines):
                row = to_row(outcome)
                if write:
                    write(row)
                if not quiet:
                    _stream(row, json_lines=json_lines)
                outputs.report(detector.package, outcome)
                tally.add(row)
        except KeyboardInterrupt:
            errors.print(f"interrupted after {tally.total} of {len(inputs)} inputs")
            raise
    summary = tally.summary(perf_counter() - started)
    _report(tally, summary, table=table, quiet=quiet, json_lines=json_lines)
    if outputs.failed() or tally.counts["rejected"]:
        raise typer.Exit(1)


def _track(outcomes: Iterator[Outcome], total: int, *, hidden: bool) -> Iterable[Outcome]:
    from rich.progress import track

    from lungflag.cli._console import errors

    return track(
        outcomes,
        description="judging",
        total=total,
        console=errors,
        transient=True,
        disable=hidden or not errors.is_terminal,
    )


def _stream(row: Row, *, json_lines: bool) -> None:
    """Print a row for a program at once; a person at a terminal gets a table at the end."""
    from lungflag.cli._console import output
    from lungflag.cli._detect_tables import to_line
    from lungflag.outputs.table import to_json

    if json_lines or not output.is_terminal:
        # Past rich, which would widen tabs.
        output.file.write((to_json(row) if json_lines else to_line(row)) + "\n")
        output.file.flush()


def _report(
    tally: Tally, summary: str, *, table: Path | None, quiet: bool, json_lines: bool
) -> None:
    from lungflag.cli._console import errors, output, say
    from lungflag.cli._detect_tables import show

    if quiet:
        say(summary)
        return
    if json_lines or not output.is_terminal:  # the rows have the pipe to themselves
        errors.print(summary, highlight=False, markup=False, emoji=False, soft_wrap=True)
        return
    left_out = show(tally, output)
    if left_out:
        where = f"all rows are in {table}" if table else "--table FILE keeps them all"
        say(f"... and {left_out} more rows: {where}")
    say(summary)

"""`lungflag heatmaps`: whether a package's heatmaps mean something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lungflag.data.manifest import Manifest, Row
    from lungflag.detector import Detector
    from lungflag.evaluation.heatmaps import Masks, Randomisation, Reading
    from lungflag.outcome import Rejection


def heatmaps(
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
    lungs: Annotated[
        Path | None,
        typer.Option(
            help="A folder of lung masks: PNG files named as the images are. By default the "
            "manifest's column `lungs` names them.",
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(min=0, max=1, help="What is near, as a share of the film's longer side."),
    ] = 0.05,
    sanity: Annotated[
        int, typer.Option(min=0, help="Films for the random-weights check; 0 leaves it out.")
    ] = 24,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to this JSON file.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw everything to this PNG file.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Films read and judged at a time.")] = 1,
) -> None:
    """Measure whether a package's heatmaps point at the disease, and depend on its weights.

    Example: lungflag data phantom films --n 200 --seed 90001 --masks; lungflag heatmaps phantom
    films --json heatmaps.json --figure heatmaps.png

    Four checks: the pointing game, where the manifest's column `mask` names masks of the lesions;
    the share of activation within the lung fields; the loss of the map as weights are made random;
    and the map of the mirrored film. Exit code 1 where films were rejected or the maps outlive
    their weights.
    """
    from lungflag._extras import require
    from lungflag.cli import _heatmap_tables as tables
    from lungflag.cli._targets import check_target
    from lungflag.data.sources import open_data
    from lungflag.detector import Detector
    from lungflag.evaluation import choose_split
    from lungflag.evaluation.heatmaps import Masks, document, draw, study
    from lungflag.outcome import Rejection

    require("scipy.stats", feature="lungflag heatmaps", extra="evidence")
    for target in (json_file, figure):
        check_target(target)
    detector = Detector.load(package, threads=1 if jobs > 1 else None)
    point = detector.package.operating_point(operating_point).name
    chosen, manifest = choose_split(open_data(data), split)
    masks = Masks(data if data.is_dir() else data.parent, lungs)

    outcomes = _read(detector, manifest, masks, point, tolerance, jobs)
    rejected = [one for one in outcomes if isinstance(one, Rejection)]
    readings = [one for one in outcomes if not isinstance(one, Rejection)]
    found = study(
        readings,
        rejected,
        randomisation=_check_weights(detector, readings, sanity),
        tolerance=tolerance,
    )
    subject = f"{detector.package.name} {detector.package.version}"
    if json_file:
        record = document(
            found,
            package=detector.package,
            operating_point=point,
            data=str(data),
            split=chosen,
        )
        json_file.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", "utf-8")
    if figure:
        figure.write_bytes(draw(found, title=f"Heatmaps of {subject} on {data} ({chosen})"))
    tables.show(found, package=subject, operating_point=point, data=str(data), split=chosen)
    if rejected or (found.randomisation and not found.randomisation.passed):
        raise typer.Exit(1)


def _read(
    detector: Detector,
    manifest: Manifest,
    masks: Masks,
    operating_point: str,
    tolerance: float,
    jobs: int,
) -> list[Reading | Rejection]:
    """Return what every film's map shows, with a progress bar on standard error."""
    from rich.progress import track

    from lungflag.cli._console import errors
    from lungflag.evaluation.heatmaps import take_readings

    return list(
        track(
            take_readings(
                detector,
                manifest,
                masks,
                operating_point=operating_point,
                tolerance=tolerance,
                jobs=jobs,
            ),
            description="reading maps",
            total=len(manifest),
            console=errors,
            disable=not errors.is_terminal,
        )
    )


def _check_weights(detector: Detector, readings: list[Reading], films: int) -> Randomisation | None:
    """Run the random-weights check on films spread evenly over those flagged, or over all."""
    import numpy as np

    from lungflag.cli._console import errors
    from lungflag.evaluation.heatmaps import weight_sanity

    among = [one.row for one in readings if one.flagged] or [one.row for one in readings]
    if not films or not among:
        return None
    spread = np.linspace(0, len(among) - 1, min(films, len(among))).round().astype(int)
    rows = [among[i] for i in spread]
    with errors.status("randomising weights"):
        return weight_sanity(detector, rows, np.stack([_square(detector, row) for row in rows]))


def _square(detector: Detector, row: Row) -> NDArray[np.uint8]:
    from lungflag.radiograph import read_radiograph

    preprocess = detector.package.preprocess
    film = read_radiograph(row.path, minimum_side=preprocess.working_side)
    return preprocess(film.pixels)

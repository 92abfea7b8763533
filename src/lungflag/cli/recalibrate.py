"""`lungflag recalibrate`: a site's own calibration and thresholds, as a derived package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lungflag.data.manifest import Manifest
    from lungflag.detector import Detector
    from lungflag.evaluation import Prediction


def recalibrate(
    package: Annotated[
        str, typer.Argument(help="A shipped package's name, or a package's folder.")
    ],
    data: Annotated[
        Path,
        typer.Argument(
            help="Your labelled images: a manifest (CSV), or a set that lungflag reads."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the derived package to write.")],
    name: Annotated[
        str, typer.Option(help="Name of the derived package; PACKAGE-site where none is given.")
    ] = "",
    split: Annotated[
        str | None,
        typer.Option(
            help="train, tune, test or all. By default tune where there is one, else all.",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the reliability before and after to this PNG file.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Images read and judged at a time.")] = 1,
) -> None:
    """Fit a package's calibration and thresholds to your hospital, from your labelled images.

    Example: lungflag recalibrate guangzhou ours.csv --out packages/ours --name guangzhou-ours

    The network stays as it is. Shown are calibration, and sensitivity and specificity at each
    operating point, before and after: after on patients that the fit has not seen (5-fold
    cross-validation by patient), all with 95% intervals.

    Exit code 1: written, with a warning to read (such as too small a sample) or rejected images.
    """
    from datetime import UTC, datetime

    from lungflag._extras import require
    from lungflag.card import render
    from lungflag.cli import _recalibration_tables as tables
    from lungflag.data.sources import open_data
    from lungflag.detector import Detector

    for module in ("sklearn", "scipy.stats", *(["matplotlib"] if figure else [])):
        require(module, feature="lungflag recalibrate", extra="evidence")
    from lungflag.evaluation import choose_split, recalibration

    detector = Detector.load(package, threads=1 if jobs > 1 else None)
    source = detector.package
    manifest = open_data(data)
    chosen, manifest = choose_split(
        manifest, split or ("tune" if any(row.split == "tune" for row in manifest) else "all")
    )
    predictions = _judge(detector, manifest, jobs)
    rejected = [one for one in predictions if not one.judged]

    scores = recalibration.scores_of(predictions, source.calibration)
    found = recalibration.recalibrate(
        source, scores, learned=sum(row.split == "train" for row in manifest)
    )
    derived = recalibration.derive(
        source,
        found,
        scores,
        name=name or f"{source.name}-site",
        date=datetime.now(UTC).date().isoformat(),
        data=data.resolve().name,
        split=chosen,
        rejected=len(rejected),
    )
    gate = None if source.gate is None else source.gate_bytes()
    written = derived.write(
        out,
        graph=source.graph_bytes(),
        card=render(derived),
        gate=gate,
        reference=source.reference_bytes(),  # of logits: the same for every calibration
    )
    if figure:
        from lungflag.evaluation.recalibration.picture import draw_reliability

        states = {"before": found.before, "after": found.after}
        draw_reliability(
            {word: (state.reliability, state.probability) for word, state in states.items()},
            figure,
            title=f"{source.name} on {data.name}",
        )
    tables.show(found, scores, written, source=source, rejected=rejected)
    if found.warnings or rejected:
        raise typer.Exit(1)


def _judge(detector: Detector, manifest: Manifest, jobs: int) -> list[Prediction]:
    """Return the predictions for all rows, with a progress bar on standard error."""
    from rich.progress import track

    from lungflag.cli._console import errors
    from lungflag.evaluation import predict

    return list(
        track(
            predict(detector, manifest, jobs=jobs),
            description="judging",
            total=len(manifest),
            console=errors,
            disable=not errors.is_terminal,
        )
    )

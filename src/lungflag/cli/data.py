"""`lungflag data ...`: make, fetch, split and audit data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from lungflag.cli._console import errors, output, say
from lungflag.cli.data_audit import audit
from lungflag.cli.data_phantom import phantom

if TYPE_CHECKING:
    from rich.progress import Progress

    from lungflag.data.manifest import Manifest

app = typer.Typer(help="Make, fetch, split and audit data sets.", no_args_is_help=True)
app.command("audit")(audit)
app.command("phantom")(phantom)

Data = Annotated[
    Path,
    typer.Argument(
        help="A folder with NORMAL and PNEUMONIA (also in train, val, test), a MedMNIST .npz, "
        "the RSNA challenge's folder, or a .csv with path, label, patient.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option(help="The manifest file to write.", show_default=False)]
SourceName = Annotated[
    str | None,
    typer.Option(
        "--source", help="Read DATA as csv, medmnist, rsna or folders; told from DATA if not given."
    ),
]


@app.command("manifest")
def manifest(data: Data, out: Out, source: SourceName = None) -> None:
    """Write one CSV row for each image of DATA: path, label, patient, split, source.

    Example: lungflag data manifest chest_xray --out manifest.csv
    """
    from lungflag.data.sources import open_data

    opened = open_data(data, source)
    opened.write(out)
    _show(opened, out)


@app.command("split")
def split(
    data: Data,
    out: Out,
    source: SourceName = None,
    tune: Annotated[float, typer.Option(help="Fraction of the images for tuning.")] = 0.15,
    test: Annotated[float, typer.Option(help="Fraction of the images for testing.")] = 0.0,
    folds: Annotated[
        int | None,
        typer.Option(help="Also number this many cross-validation folds in the column fold."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draw; the same seed splits the same.")] = 1,
    keep_test: Annotated[
        bool, typer.Option(help="Leave images that are published as test there.")
    ] = True,
) -> None:
    """Split DATA into train, tune and test by patient, with the same share of each label.

    Example: lungflag data split chest_xray --out manifest.csv --tune 0.15 --folds 5
    """
    from lungflag.data.sources import open_data
    from lungflag.data.split import add_folds, split_by_patient

    done = split_by_patient(
        open_data(data, source), tune=tune, test=test, seed=seed, keep_test=keep_test
    )
    if folds is not None:
        done = add_folds(done, folds=folds, seed=seed)
    done.write(out)
    _show(done, out)


@app.command("fetch")
def fetch(
    name: Annotated[
        str | None, typer.Argument(help="The data set; without it, all are listed.")
    ] = None,
    to: Annotated[Path, typer.Option(help="The folder to fetch it into.")] = Path("data"),
    show: Annotated[bool, typer.Option("--list", help="List the data sets.")] = False,
) -> None:
    """Download a published data set from its official home, checked, and gone on with if cut off.

    Example: lungflag data fetch pneumoniamnist-64 --to data
    """
    from lungflag.data.download import Transport
    from lungflag.data.fetch import DATASETS
    from lungflag.data.fetch import fetch as fetch_published
    from lungflag.errors import FetchError

    if name is None or show:
        _list_published()
        return
    if name not in DATASETS:
        raise FetchError(f"no data set {name!r}; there are {', '.join(DATASETS)}")
    published = DATASETS[name]
    with _progress() as bar:
        steps = {
            step: bar.add_task(step, total=None, visible=False) for step in ("download", "unpack")
        }
        fetched = fetch_published(
            published,
            to,
            Transport(
                progress=lambda step, done, whole: bar.update(
                    steps[step], completed=done, total=whole, visible=True
                ),
                notice=lambda text: errors.print(
                    text, markup=False, highlight=False, soft_wrap=True
                ),
            ),
        )
    say(f"{fetched.path}" if fetched.fresh else f"{fetched.path}: already complete")
    say(f"Licence: {published.licence}")
    say(f"Cite: {published.citation}")


def _progress() -> Progress:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=errors,
    )


def _list_published() -> None:
    from rich.filesize import decimal

    from lungflag.data.fetch import DATASETS

    table = Table("name", "what", "size", "licence")
    for name, published in DATASETS.items():
        table.add_row(name, published.about, decimal(published.file.size), published.licence)
    output.print(table)


def _show(rows: Manifest, out: Path) -> None:
    """Print images by split and label, and patients."""
    from lungflag.data.manifest import LABELS, SPLITS

    table = Table("split", *LABELS, "images", "patients")
    for split_name in SPLITS:
        part = [row for row in rows if row.split == split_name]
        if part:
            counts = [sum(row.label == label for row in part) for label in LABELS]
            patients = len({row.patient_key for row in part})
            cells = (f"{n:,}" for n in (*counts, len(part), patients))
            table.add_row(split_name or "(none)", *cells)
    output.print(table)
    say(f"{len(rows):,} images of {len({row.patient_key for row in rows}):,} patients in {out}")

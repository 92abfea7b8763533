"""`lungflag data phantom`: a data set of synthetic radiographs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungflag.cli._console import errors, say

if TYPE_CHECKING:
    from lungflag.data.manifest import Row

SOURCE = "phantom"
"""What the manifest names as the data set of a phantom."""


class Format(StrEnum):
    """How the images are stored."""

    png = "png"
    dicom = "dicom"


def phantom(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where images and manifest go.")],
    n: Annotated[int, typer.Option("--n", min=1, help="Number of images, one a patient.")] = 12,
    seed: Annotated[
        int, typer.Option(min=0, max=999_000_000, help="The first image's seed; the next follow.")
    ] = 1,
    image_format: Annotated[Format, typer.Option("--format", help="File format.")] = Format.png,
    size: Annotated[int, typer.Option(min=64, max=2048, help="Rows and columns.")] = 512,
    prevalence: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of images with pneumonia.")
    ] = 0.5,
    masks: Annotated[
        bool,
        typer.Option(
            "--masks", help="Also write masks of the consolidations and lungs to DIR/masks."
        ),
    ] = False,
) -> None:
    """Make synthetic chest radiographs with known labels, for trying things out.

    Each one is ray-cast from an analytic chest and carries the word SYNTHETIC. The same options
    make the same files. They say nothing of how a model does on patients.

    Example: lungflag data phantom phantoms --n 12 --format dicom
    """
    from rich.progress import track

    from lungflag.data.manifest import Manifest

    labels = _labels(n, seed, prevalence)
    suffix = "dcm" if image_format is Format.dicom else "png"
    paths = [folder / f"phantom-{seed + i:06d}.{suffix}" for i in range(n)]
    manifest = folder / "manifest.csv"
    _make_room(folder, manifest)
    rows: list[Row] = []
    try:
        jobs = list(zip(paths, range(seed, seed + n), labels, strict=True))
        for path, number, positive in track(
            jobs, "making phantoms", console=errors, transient=True
        ):
            rows.append(_make(path, number, positive=positive, size=size, masks=masks))
    finally:
        # What an interruption leaves is a smaller data set, not one with wrong labels.
        if rows:
            Manifest(tuple(rows)).write(manifest)
    say(f"{n} synthetic radiographs ({sum(labels)} with pneumonia) and {manifest}")
    say(f"Next: lungflag detect {folder} --model phantom --overlays overlays")


def _labels(n: int, seed: int, prevalence: float) -> list[bool]:
    """Which images show pneumonia: the rounded share of them, in random order."""
    import numpy as np

    positives = np.arange(n) < round(n * prevalence)
    return [bool(p) for p in np.random.default_rng([seed, n]).permutation(positives)]


def _make(path: Path, seed: int, *, positive: bool, size: int, masks: bool) -> Row:
    from lungflag.data.manifest import Row
    from lungflag.errors import ManifestError
    from lungflag.phantom import make_phantom, patient_id, write_dicom, write_mask, write_png

    made = make_phantom(seed, pneumonia=positive, size=size)
    files = _mask_files(path)
    try:
        (write_dicom if path.suffix == ".dcm" else write_png)(made, path)
        if masks:
            for file, pixels in zip(files.values(), (made.mask, made.lungs), strict=True):
                file.parent.mkdir(parents=True, exist_ok=True)
                write_mask(pixels, file)
    except BaseException as error:  # an interruption too leaves no half of a file behind
        for file in (path, *files.values()):
            file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ManifestError(f"{path}: cannot be written ({error.strerror})") from error
        raise
    named = {
        column: file.relative_to(path.parent).as_posix() if masks else ""
        for column, file in files.items()
    }
    extra = {"seed": str(seed), "view": made.view, **named}
    return Row(path, made.label, patient_id(seed), "", SOURCE, extra)


def _mask_files(path: Path) -> dict[str, Path]:
    """Return where the masks of a phantom at `path` lie, by the manifest's column."""
    masks = path.parent / "masks"
    return {"mask": masks / f"{path.stem}.png", "lungs": masks / "lungs" / f"{path.stem}.png"}


def _make_room(folder: Path, manifest: Path) -> None:
    """Create the folder, or clear it of what an earlier run made; nobody else's file is touched.

    Raises
    ------
    ManifestError
        If the folder is a file or cannot be made, or holds the manifest of another data set.
    """
    from lungflag.data.manifest import Manifest
    from lungflag.errors import ManifestError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ManifestError(f"{folder}: cannot be made a folder ({error.strerror})") from error
    if not manifest.exists():
        return
    old = Manifest.read(manifest)
    if any(row.source != SOURCE for row in old):
        raise ManifestError(f"{manifest}: belongs to another data set; choose another folder")
    manifest.unlink()
    for row in old:
        if row.path.name.startswith("phantom-") and row.path.parent == folder:
            for path in (row.path, *_mask_files(row.path).values()):
                path.unlink(missing_ok=True)

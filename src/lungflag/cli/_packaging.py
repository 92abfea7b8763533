"""What the commands that write a model package share: options, decoding, and the last words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungflag.cli._console import errors, fail, say

if TYPE_CHECKING:
    from lungflag.data.manifest import Manifest
    from lungflag.package import ModelPackage
    from lungflag.preprocess import Preprocess
    from lungflag.training.cache import CachedData

Name = Annotated[str, typer.Option(help="Name of the package; the folder's by default.")]
Version = Annotated[str, typer.Option(help="Version of the package.")]
Licences = Annotated[
    list[str] | None,
    typer.Option(help="Licence of the images, for the card; SOURCE=TEXT for one source."),
]
Citations = Annotated[
    list[str] | None,
    typer.Option(help="Citation of the images, for the card; SOURCE=TEXT for one source."),
]
Gate = Annotated[
    Path | None, typer.Option(help="Folder of a fitted quality gate to put into the package.")
]
Ages = Annotated[
    tuple[float, float] | None,
    typer.Option(help="Youngest and oldest patients in years: outside, findings are marked."),
]
Cache = Annotated[Path, typer.Option(help="Folder of decoded images; safe to delete.")]
Jobs = Annotated[int, typer.Option(help="Threads that decode images.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]


def decode(
    manifest: Manifest, preprocess: Preprocess, cache: Path, *, jobs: int, quiet: bool
) -> CachedData:
    """Decode a manifest's images under a progress bar; say which were left out."""
    from rich.progress import MofNCompleteColumn, Progress

    from lungflag.training.cache import cache_images

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=errors, disable=quiet) as bar:
        task = bar.add_task("decoding", total=len(manifest))
        images = cache_images(
            manifest, preprocess, cache, jobs=jobs, advance=lambda: bar.advance(task)
        )
    for rejected in images.rejected:
        fail(f"left out: {rejected}")
    return images


def by_source(texts: list[str] | None) -> dict[str, str]:
    """Return SOURCE=TEXT options as a mapping; a text alone is for every source."""
    named = [(re.fullmatch(r"([\w.-]+)=(.*)", text, re.DOTALL), text) for text in texts or []]
    return {(match[1] if match else ""): (match[2] if match else text) for match, text in named}


def announce(package: ModelPackage, out: Path) -> None:
    """Say how good a package is on its tuning split."""
    point = package.operating_point()
    say(
        f"{out}: tuning AUROC {package.provenance['tune']['auroc']:.4f}; at {point.name} "
        f"sensitivity {point.sensitivity:.3f}, specificity {point.specificity:.3f} (n={point.n})"
    )

"""`lungflag ensemble`: several trainings become one model package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lungflag.cli._packaging import (
    Ages,
    Cache,
    Citations,
    Gate,
    Jobs,
    Licences,
    Name,
    Quiet,
    Version,
    announce,
    by_source,
    decode,
)


def ensemble(
    data: Annotated[Path, typer.Argument(help="The images that all members were trained on.")],
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders of `lungflag train`.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the model package to write.")],
    name: Name = "",
    version: Version = "1.0.0",
    licence: Licences = None,
    citation: Citations = None,
    gate: Gate = None,
    ages: Ages = None,
    cache: Cache = Path(".cache/lungflag"),
    jobs: Jobs = 2,
    quiet: Quiet = False,
) -> None:
    """Let several trained networks answer together, as one model package.

    Their logits and heatmaps are averaged in one graph, which is then calibrated anew on the rows
    of the split `tune`. The members may differ in seed, backbone, rates or in what they are shown,
    but not in the split, nor in whether histograms are equalised. A training that was killed goes
    on to its end first.

    [bold]Example:[/] lungflag ensemble films.csv frame.run lungs.run --out packages/both
    """
    from lungflag._extras import require

    require("lightning", feature="lungflag ensemble", extra="train")

    from lungflag.data.sources import open_data
    from lungflag.training.fit import default_workers, fit, recipe_of, together, with_tune_split
    from lungflag.training.packaging import make_package
    from lungflag.training.recipe import common_preprocess

    recipes = [recipe_of(run) for run in runs]
    preprocess = common_preprocess(recipes)
    manifest = with_tune_split(open_data(data), recipes[0].seed)
    images = {
        way: decode(manifest, way, cache, jobs=jobs, quiet=quiet)
        for way in {preprocess, *(recipe.preprocess for recipe in recipes)}
    }
    members = [
        fit(recipe, images[recipe.preprocess], run, workers=default_workers(), show=not quiet)
        for recipe, run in zip(recipes, runs, strict=True)
    ]
    package = make_package(
        out, name=name or out.resolve().name, version=version, recipes=recipes,
        fitted=together(members), data=images[preprocess],
        licence=by_source(licence), citation=by_source(citation), gate=gate, ages=ages,
    )  # fmt: skip
    announce(package, out)

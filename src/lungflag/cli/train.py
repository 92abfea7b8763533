"""`lungflag train`: from labelled images to a model package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lungflag.cli._console import say
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


def train(
    data: Annotated[
        Path,
        typer.Argument(help="A manifest CSV, class folders, or any set that lungflag reads."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the model package to write.")],
    backbone: Annotated[
        str, typer.Option(help="cnn-small, cnn-deep, mobilenetv2, xception, or any timm name.")
    ] = "mobilenetv2",
    weights: Annotated[
        str, typer.Option(help="Start from: imagenet (downloads), none, or a weights file.")
    ] = "imagenet",
    image_size: Annotated[int, typer.Option(help="Side of the network's input, in pixels.")] = 224,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 10,
    freeze_epochs: Annotated[int, typer.Option(help="First epochs that train the head alone.")] = 1,
    equalise: Annotated[
        bool, typer.Option("--equalise", help="Equalise every radiograph's histogram.")
    ] = False,
    view: Annotated[
        str, typer.Option(help="Show the network the whole frame, the lungs' box (lungs), or both.")
    ] = "frame",
    balance: Annotated[
        float,
        typer.Option(help="0 to 1: even out sources and views, each with both labels equally."),
    ] = 0.0,
    batch_size: Annotated[int, typer.Option(help="Images a step and process.")] = 32,
    lr: Annotated[float, typer.Option(help="Peak learning rate of the base.")] = 1e-3,
    head_lr: Annotated[float, typer.Option(help="Peak learning rate of the head.")] = 1e-3,
    weight_decay: Annotated[float, typer.Option(help="AdamW's weight decay.")] = 0.05,
    label_smoothing: Annotated[float, typer.Option(help="Label smoothing.")] = 0.05,
    class_weighting: Annotated[
        bool, typer.Option("--class-weighting", help="Weigh positives by negatives / positives.")
    ] = False,
    ema: Annotated[float, typer.Option(help="Decay of the averaged weights; 0 is off.")] = 0.99,
    patience: Annotated[
        int, typer.Option(help="Stop after so many epochs without a better tuning AUROC; 0: never.")
    ] = 4,
    augment: Annotated[bool, typer.Option(help="Augment whole batches at random.")] = True,
    crop_scale: Annotated[
        float, typer.Option(help="Smallest share of the area that a random crop keeps.")
    ] = 0.3,
    style_mix: Annotated[
        float, typer.Option(help="Share of images that take another's grey scale or spectrum.")
    ] = 0.0,
    opacities: Annotated[
        float, typer.Option(help="Share of normal images given a synthetic opacity.")
    ] = 0.0,
    precision: Annotated[str, typer.Option(help="bf16-mixed or 32-true.")] = "bf16-mixed",
    processes: Annotated[
        int | None,
        typer.Option(
            help="Processes that train together; one a GPU by default, one without.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="Who starts the processes: local (this machine) or ray (a cluster).")
    ] = "local",
    seed: Annotated[int, typer.Option(help="Fixes split, order and augmentation.")] = 1,
    name: Name = "",
    version: Version = "1.0.0",
    licence: Licences = None,
    citation: Citations = None,
    gate: Gate = None,
    ages: Ages = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of checkpoints and logs; OUT.run by default.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--restart", help="Forget the checkpoints of an earlier run.")
    ] = False,
    cache: Cache = Path(".cache/lungflag"),
    jobs: Jobs = 2,
    quiet: Quiet = False,
) -> None:
    """Train a detector and write it as a model package.

    Rows of the split `tune` steer early stopping, calibration and operating points; where there
    are none, 15% of the patients are set aside. Rows of the split `test` are never touched.
    A killed training goes on where it was: give the same command again.

    With --processes N a step sees N times --batch-size images; divide --batch-size by N to train
    as one process would. On several machines torchrun starts this same command on each, or
    --engine ray uses the Ray cluster at RAY_ADDRESS; all need the same folders.

    [bold]Examples:[/]

    lungflag train chest_xray --out packages/mine --weights none --epochs 3

    lungflag train chest_xray --out packages/mine --processes 2 --batch-size 16

    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST:29500
    --no-python lungflag train chest_xray --out packages/mine
    """
    from lungflag._extras import require

    require("lightning", feature="lungflag train", extra="train")

    from lungflag.data.sources import open_data
    from lungflag.training.backbones import build_network
    from lungflag.training.fit import (
        default_processes,
        default_workers,
        fit,
        restart,
        with_tune_split,
    )
    from lungflag.training.group import Group, first_on_this_machine, joined, this_group
    from lungflag.training.packaging import make_package
    from lungflag.training.recipe import Recipe

    recipe = Recipe(
        backbone=backbone, weights=weights, image_size=image_size, epochs=epochs,
        freeze_epochs=freeze_epochs, batch_size=batch_size, lr=lr, head_lr=head_lr,
        weight_decay=weight_decay, label_smoothing=label_smoothing,
        class_weighting=class_weighting, ema=ema, patience=patience, augment=augment,
        crop_scale=crop_scale, precision=precision,
        processes=default_processes() if processes is None else processes, seed=seed,
        equalise=equalise, view=view, balance=balance,
        style_mix=style_mix, opacities=opacities,
    )  # fmt: skip
    # A wrong name or file shows before the images are decoded, not after.
    build_network(backbone, weights=weights, image_size=image_size)
    run = run or out.with_name(f"{out.name}.run")
    group = this_group() or Group()
    quiet = quiet or group.rank > 0
    with joined(group):
        if fresh and group.rank == 0:
            restart(run)
        manifest = with_tune_split(open_data(data), seed)
        with first_on_this_machine(group):
            images = decode(manifest, recipe.preprocess, cache, jobs=jobs, quiet=quiet)
        fitted = fit(recipe, images, run, workers=default_workers(), show=not quiet, engine=engine)
    if group.rank > 0:
        return
    package = make_package(
        out, name=name or out.resolve().name, version=version, recipes=[recipe],
        fitted=fitted, data=images, licence=by_source(licence), citation=by_source(citation),
        gate=gate, ages=ages,
    )  # fmt: skip
    announce(package, out)
    say(f"learning curves: {run / 'curves.png'}")

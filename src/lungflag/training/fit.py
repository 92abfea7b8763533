"""One training, from a manifest to a model package; killed at any point, it goes on."""

from __future__ import annotations

import json
import logging
import os
import shutil
import warnings
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from lungflag.data.split import split_by_patient
from lungflag.errors import TrainingError
from lungflag.training.cache import CachedData, CachedImage
from lungflag.training.centred import Ensemble
from lungflag.training.curves import Epoch, History, draw_curves
from lungflag.training.datamodule import RadiographData
from lungflag.training.lit import PneumoniaClassifier
from lungflag.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from lungflag.data.manifest import Manifest

TUNE_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network and how the training went.

    Attributes
    ----------
    network : nn.Module
        The `CentredNetwork` that ships, or an `Ensemble` of them, in evaluation mode.
    epochs : tuple[Epoch, ...]
        Loss and tuning AUROC by epoch; of an ensemble, its members' in a row.
    """

    network: nn.Module
    epochs: tuple[Epoch, ...]


def together(members: Sequence[Fitted]) -> Fitted:
    """Return networks that answer together; a single one is itself."""
    if len(members) == 1:
        return members[0]
    network = Ensemble([member.network for member in members]).eval()
    return Fitted(network, tuple(epoch for member in members for epoch in member.epochs))


def with_tune_split(manifest: Manifest, seed: int) -> Manifest:
    """Return the training and tuning rows; where no row is for tuning, split some off by patient.

    Test rows are left out: training never sees them.

    Raises
    ------
    ManifestError
        If no rows are left to train on.
    TrainingError
        If some rows are for tuning and others have no split at all.
    """
    known = manifest.where(lambda row: row.split != "test")
    if any(row.split == "tune" for row in known):
        unplaced = [row for row in known if not row.split]
        if unplaced:
            count = "1 row has" if len(unplaced) == 1 else f"{len(unplaced)} rows have"
            raise TrainingError(
                f"{unplaced[0].path}: {count} no split, and others are set aside for tuning; "
                "`lungflag data split` places every row"
            )
        return known
    return split_by_patient(known, tune=TUNE_SHARE, test=0.0, seed=seed)


def fit(recipe: Recipe, data: CachedData, run: Path, *, workers: int, show: bool) -> Fitted:
    """Train by `recipe` in the folder `run`, going on from its last epoch if it has one.

    Parameters
    ----------
    recipe : Recipe
        Every choice.
    data : CachedData
        Images of the splits ``train`` and ``tune``.
    run : Path
        Checkpoints, CSV and TensorBoard logs, ``curves.png``.
    workers : int
        Loader processes.
    show : bool
        Whether to draw progress bars.

    Raises
    ------
    TrainingError
        If a split lacks a class, or `run` holds another training.
    """
    train, tune = (_split(data.images, name) for name in ("train", "tune"))
    _claim(run, recipe, [*train, *tune])
    lightning.seed_everything(recipe.seed, verbose=False)
    history = History()
    last = ModelCheckpoint(
        run, "last", save_top_k=1, save_on_train_epoch_end=True, enable_version_counter=False
    )
    best = ModelCheckpoint(
        run, "best", "tune_auroc", mode="max", save_on_train_epoch_end=True,
        enable_version_counter=False,
    )  # fmt: skip
    callbacks: list[Callback] = [history, last]
    if recipe.patience:
        callbacks += [best, EarlyStopping("tune_auroc", patience=recipe.patience, mode="max")]
    if show:
        callbacks.append(RichProgressBar(leave=True))
    trainer = _trainer(recipe, run, callbacks, show=show)
    positives = sum(image.row.positive for image in train)
    weight = (len(train) - positives) / positives if recipe.class_weighting else 1.0
    model = PneumoniaClassifier(recipe, weight)
    batches = RadiographData(
        train, tune, batch_size=min(recipe.batch_size, len(train)),
        balance=recipe.balance, seed=recipe.seed, workers=workers,
    )  # fmt: skip
    checkpoint = run / "last.ckpt"
    with warnings.catch_warnings():
        # Lightning advises on worker counts and the like; the choices here are deliberate.
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", module=r"torch\..*")
        trainer.fit(
            model,
            batches,
            ckpt_path=checkpoint if checkpoint.exists() else None,
            weights_only=False,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt
    if recipe.patience:
        state = torch.load(run / "best.ckpt", map_location="cpu", weights_only=False)
        model.load_state_dict(state["state_dict"])
    draw_curves(history.epochs, recipe.freeze_epochs, run / "curves.png")
    return Fitted(model.shipped.cpu().eval(), tuple(history.epochs))


def recipe_of(run: Path) -> Recipe:
    """Return the recipe of the training in `run`.

    Raises
    ------
    TrainingError
        If there is none, or this version does not know its choices.
    """
    file = run / "recipe.json"
    try:
        return Recipe(**json.loads(file.read_text(encoding="utf-8"))["recipe"])
    except OSError as error:
        raise TrainingError(
            f"{run}: no run folder of `lungflag train` ({error.strerror})"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{file}: no recipe of this version ({error})") from error


def default_workers() -> int:
    """Return how many loader processes keep the step fed: none on a CPU, which is slower."""
    return min(8, os.cpu_count() or 1) if torch.cuda.is_available() else 0


def restart(run: Path) -> None:
    """Forget the training in `run`."""
    if (run / "recipe.json").exists():
        shutil.rmtree(run)


def stack(images: Sequence[CachedImage]) -> NDArray[np.uint8]:
    """Return the images' pixels, shape (n, 1, s, s)."""
    pixels: NDArray[np.uint8] = np.stack([np.load(image.file) for image in images])[:, None]
    return pixels


def _split(images: Sequence[CachedImage], name: str) -> list[CachedImage]:
    found = [image for image in images if image.row.split == name]
    for label in ("normal", "pneumonia"):
        if not any(image.row.label == label for image in found):
            raise TrainingError(f"split {name!r} has no image labelled {label}")
    return found


def _claim(run: Path, recipe: Recipe, images: Sequence[CachedImage]) -> None:
    """Write down what this run is, or make sure that it is the same."""
    rows = [(image.file.name, image.row.label, image.row.split) for image in images]
    claim: dict[str, Any] = {
        "recipe": asdict(recipe),
        "images": len(rows),
        "data": sha256(json.dumps(rows).encode()).hexdigest(),
    }
    file = run / "recipe.json"
    if not file.exists():
        run.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(claim, indent=2) + "\n")
    elif json.loads(file.read_text()) != claim:
        raise TrainingError(
            f"{run}: holds a training with another recipe or other images; "
            "name another folder with --run, or start afresh with --restart"
        )


def _trainer(
    recipe: Recipe, run: Path, callbacks: list[Callback], *, show: bool
) -> lightning.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    several = torch.cuda.device_count() > 1
    return lightning.Trainer(
        max_epochs=recipe.epochs,
        precision=recipe.precision,  # type: ignore[arg-type]
        # The frozen stage leaves parameters without gradients.
        strategy="ddp_find_unused_parameters_true" if several else "auto",
        use_distributed_sampler=False,
        callbacks=callbacks,
        logger=[CSVLogger(run / "csv", name=""), TensorBoardLogger(run / "tensorboard", name="")],
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_progress_bar=show,
        enable_model_summary=False,
        gradient_clip_val=1.0,
    )

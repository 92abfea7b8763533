"""One process's part of a training: Lightning's trainer, checkpoints and logs."""

from __future__ import annotations

import logging
import os
import warnings
from typing import TYPE_CHECKING

import lightning
import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from lungflag.training.curves import History
from lungflag.training.datamodule import RadiographData
from lungflag.training.group import Group, this_group
from lungflag.training.lit import PneumoniaClassifier
from lungflag.training.memory import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lungflag.training.cache import CachedImage
    from lungflag.training.recipe import Recipe


def take_part(
    recipe: Recipe,
    train: Sequence[CachedImage],
    tune: Sequence[CachedImage],
    run: Path,
    *,
    workers: int,
    show: bool,
) -> None:
    """Train by `recipe` in the folder `run`, alone or as one of a group.

    Parameters
    ----------
    recipe : Recipe
        Every choice.
    train, tune : Sequence[CachedImage]
        All images of both splits; this process takes its share.
    run : Path
        Checkpoints and logs; a training goes on from the last epoch that is there.
    workers : int
        Loader processes of this process.
    show : bool
        Whether to draw progress bars.
    """
    group = this_group() or Group()
    if not torch.cuda.is_available():
        keep_freed_memory()
        if group.local_size > 1:
            torch.set_num_threads(max(1, (os.cpu_count() or 1) // group.local_size))
    lightning.seed_everything(recipe.seed, verbose=False)
    positives = sum(image.row.positive for image in train)
    weight = (len(train) - positives) / positives if recipe.class_weighting else 1.0
    batches = RadiographData(
        train, tune, batch_size=min(recipe.batch_size, max(1, len(train) // group.size)),
        balance=recipe.balance, seed=recipe.seed, workers=workers,
    )  # fmt: skip
    checkpoint = run / "last.ckpt"
    with warnings.catch_warnings():
        # Lightning advises on worker counts and the like; the choices here are deliberate.
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", module=r"torch\..*")
        trainer = _trainer(recipe, run, group, show=show and group.rank == 0)
        trainer.fit(
            PneumoniaClassifier(recipe, weight),
            batches,
            ckpt_path=checkpoint if checkpoint.exists() else None,
            weights_only=False,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt


def _trainer(recipe: Recipe, run: Path, group: Group, *, show: bool) -> lightning.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    last = ModelCheckpoint(
        run, "last", save_top_k=1, save_on_train_epoch_end=True, enable_version_counter=False
    )
    best = ModelCheckpoint(
        run, "best", "tune_auroc", mode="max", save_on_train_epoch_end=True,
        enable_version_counter=False,
    )  # fmt: skip
    callbacks: list[Callback] = [History(), last]
    if recipe.patience:
        callbacks += [best, EarlyStopping("tune_auroc", patience=recipe.patience, mode="max")]
    if show:
        callbacks.append(RichProgressBar(leave=True))
    several = group.size > 1
    return lightning.Trainer(
        max_epochs=recipe.epochs,
        precision=recipe.precision,  # type: ignore[arg-type]
        devices=group.local_size,
        num_nodes=group.size // group.local_size,
        # The frozen stage leaves parameters without gradients.
        strategy=DDPStrategy(find_unused_parameters=recipe.freeze_epochs > 0)
        if several
        else "auto",
        plugins=[TorchElasticEnvironment()] if several else [],
        use_distributed_sampler=False,
        callbacks=callbacks,
        logger=[CSVLogger(run / "csv", name=""), TensorBoardLogger(run / "tensorboard", name="")],
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_progress_bar=show,
        enable_model_summary=False,
        gradient_clip_val=1.0,
    )

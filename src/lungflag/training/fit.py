"""One training, from a manifest to a model package; killed at any point, it goes on."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lungflag.data.split import split_by_patient
from lungflag.errors import TrainingError
from lungflag.training.cache import CachedData, CachedImage
from lungflag.training.centred import Ensemble
from lungflag.training.curves import Epoch, draw_curves
from lungflag.training.group import in_processes, this_group
from lungflag.training.lit import PneumoniaClassifier
from lungflag.training.loop import take_part
from lungflag.training.on_ray import on_ray
from lungflag.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from lungflag.data.manifest import Manifest

TUNE_SHARE = 0.15
ENGINES = ("local", "ray")


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


def fit(
    recipe: Recipe,
    data: CachedData,
    run: Path,
    *,
    workers: int,
    show: bool,
    engine: str = "local",
) -> Fitted:
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
        Loader processes of each training process.
    show : bool
        Whether to draw progress bars.
    engine : str
        Who starts the recipe's processes: ``local`` or ``ray``. A process that torchrun started is
        one of them already, and trains with the others.

    Raises
    ------
    TrainingError
        If a split lacks a class, `run` holds another training, or a process fails.
    """
    if engine not in ENGINES:
        raise TrainingError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
    train, tune = (_split(data.images, name) for name in ("train", "tune"))
    group = this_group()
    if group and group.size != recipe.processes:
        raise TrainingError(f"{group.size} processes were started for {recipe.processes}")
    if not group or group.rank == 0:
        _claim(run, recipe, [*train, *tune])
    part = partial(take_part, recipe, train, tune, run, workers=workers, show=show)
    if group or (engine == "local" and recipe.processes == 1):
        part()
    elif engine == "local":
        in_processes(recipe.processes, part)
    else:
        on_ray(recipe.processes, part, run)
    return _finished(recipe, run, draw=not group or group.rank == 0)


def _finished(recipe: Recipe, run: Path, *, draw: bool) -> Fitted:
    """Return what the training in `run` came to."""
    last = torch.load(run / "last.ckpt", map_location="cpu", weights_only=False)
    chosen = run / "best.ckpt" if recipe.patience else None
    state = torch.load(chosen, map_location="cpu", weights_only=False) if chosen else last
    model = PneumoniaClassifier(recipe)
    model.load_state_dict(state["state_dict"])
    epochs: list[Epoch] = last["callbacks"]["History"]["epochs"]
    if draw:
        draw_curves(epochs, recipe.freeze_epochs, run / "curves.png")
    return Fitted(model.shipped.eval(), tuple(epochs))


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


def default_processes() -> int:
    """Return how many processes train where nobody says it: as started, else one a GPU."""
    group = this_group()
    return group.size if group else max(1, torch.cuda.device_count())


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

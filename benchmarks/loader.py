"""What the loader costs: training images a second with it, over those with one batch held."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import torch

from lungflag.data.manifest import Manifest, Row
from lungflag.preprocess import Preprocess
from lungflag.training.cache import cache_images
from lungflag.training.datamodule import Batch, RadiographData
from lungflag.training.lit import PneumoniaClassifier
from lungflag.training.recipe import Recipe
from measure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from figures import Setting

STEPS = 12


def loader_share(folder: Path, setting: Setting) -> Figure:
    """Measure it on the labelled images of a folder."""
    rows = tuple(
        Row(path, path.parent.name.lower(), path.stem) for path in sorted(folder.rglob("*.jpeg"))
    )
    cached = cache_images(Manifest(rows), Preprocess(), setting.folder / "cache").images
    images = cached * (STEPS // 2)
    model = PneumoniaClassifier(Recipe(weights="none", batch_size=16))

    def step(batch: Batch) -> None:
        with torch.no_grad():
            grey = batch[0].float() / 255
            grey, _ = model.augmentation(grey, *model.centring(grey), batch[1])
        with torch.autocast("cpu", torch.bfloat16):
            logit = model.network(grey.contiguous(memory_format=torch.channels_last))[0]
        (logit.float() - batch[1]).square().mean().backward()

    def loaded() -> list[Batch]:
        data = RadiographData(images, images, batch_size=16, balance=0.0, seed=1, workers=0)
        return data.train_dataloader()  # type: ignore[return-value]

    def timed(batches: list[Batch]) -> float:
        started = perf_counter()
        for batch in batches:
            step(batch)
        return perf_counter() - started

    held = next(iter(loaded()))
    timed([held] * 3)  # warm up
    pairs = [(timed([held] * STEPS), timed(loaded())) for _ in range(setting.rounds)]
    return Figure(
        "training rate with the loader",
        "the step alone, one batch held in memory",
        tuple(alone / fed for alone, fed in pairs),
        0.95,
        "",
    )

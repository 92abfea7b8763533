"""Speed and memory against their targets, on this machine: `make bench`.

Every target is a ratio measured in one run, or a floor that any two cores of today hold. Exit
code 1 where one is missed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from lungflag.data.manifest import Manifest, Row
from lungflag.detector import Detector
from lungflag.phantom import make_phantom, write_png
from lungflag.preprocess import Preprocess
from lungflag.training.cache import cache_images
from lungflag.training.datamodule import Batch, RadiographData
from lungflag.training.lit import PneumoniaClassifier
from lungflag.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure and the least (or, with `most`, the largest) value that will do."""

    what: str
    value: float
    target: float
    unit: str
    most: bool = False

    @property
    def met(self) -> bool:
        return self.value <= self.target if self.most else self.value >= self.target


def films(folder: Path, n: int = 32) -> Manifest:
    """Write `n` synthetic radiographs."""
    rows = []
    for seed in range(n):
        positive = seed % 2 == 1
        write_png(make_phantom(seed, pneumonia=positive, size=512), folder / f"{seed}.png")
        rows.append(Row(folder / f"{seed}.png", "pneumonia" if positive else "normal", f"p{seed}"))
    return Manifest(tuple(rows))


def loader_share(manifest: Manifest, folder: Path, steps: int = 12) -> Measure:
    """Training images a second with the loader, over those with one batch held in memory."""
    images = cache_images(manifest, Preprocess(), folder).images * (steps // 2)
    model = PneumoniaClassifier(Recipe(weights="none", batch_size=16))

    def step(batch: Batch) -> None:
        with torch.no_grad():
            grey = batch[0].float() / 255
            grey, _ = model.augmentation(grey, *model.centring(grey), batch[1])
        with torch.autocast("cpu", torch.bfloat16):
            logit = model.network(grey.contiguous(memory_format=torch.channels_last))[0]
        (logit.float() - batch[1]).square().mean().backward()

    def timed(batches: list[Batch] | None) -> float:
        source = (
            batches
            or RadiographData(
                images, images, batch_size=16, balance=0.0, seed=1, workers=0
            ).train_dataloader()
        )
        start = time.perf_counter()
        for batch in source:
            step(batch)
        return time.perf_counter() - start

    held = next(
        iter(
            RadiographData(
                images, images, batch_size=16, balance=0.0, seed=1, workers=0
            ).train_dataloader()
        )
    )
    timed([held] * 3)  # warm up
    # Alternate, so that a neighbour's load falls on both.
    alone, loaded = zip(*[(timed([held] * steps), timed(None)) for _ in range(3)], strict=True)
    return Measure("loader: share of the step-only rate", min(alone) / min(loaded), 0.95, "")


def inference_rate(model: str) -> Measure:
    """Images a second through the graph alone, batches of 16."""
    detector = Detector.load(model, threads=os.cpu_count())
    size = detector.package.preprocess.size
    batch = np.zeros((16, 1, size, size), dtype=np.uint8)
    detector.infer(batch)
    start = time.perf_counter()
    for _ in range(8):
        detector.infer(batch)
    return Measure(f"{model}: inference", 8 * 16 / (time.perf_counter() - start), 60, "images/s")


# Linux hands a parent's peak memory on to the child that it forks, so that a small process must
# stand between this one, which holds torch, and the command.
_BETWEEN = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def command(folder: Path) -> list[Measure]:
    """Seconds and peak memory of `lungflag detect` over the films, from start to exit."""
    detect = [sys.executable, "-m", "lungflag", "detect", str(folder), "--model", "guangzhou"]
    done = subprocess.run(
        [sys.executable, "-c", _BETWEEN, *detect], check=True, capture_output=True, text=True
    )
    seconds, mebibytes = map(float, done.stdout.split())
    return [
        Measure("`lungflag detect` on 32 films", seconds, 20, "s", most=True),
        Measure("`lungflag detect`: largest memory", mebibytes, 600, "MiB", most=True),
    ]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "films"
        folder.mkdir()
        manifest = films(folder)
        measures = [
            inference_rate("guangzhou"),
            *command(folder),
            loader_share(manifest, Path(name) / "cache"),
        ]
    table = Table("measure", "value", "target", "")
    for m in measures:
        sign = "at most" if m.most else "at least"
        table.add_row(
            m.what, f"{m.value:.3g} {m.unit}", f"{sign} {m.target:g}", "met" if m.met else "MISSED"
        )
    Console().print(table)
    return 0 if all(m.met for m in measures) else 1


if __name__ == "__main__":
    sys.exit(main())

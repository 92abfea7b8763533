"""The four systems of `runs/crossvalidate.py` as packages, compared on patients they never saw.

    python -m runs.comparison.run ../shared/data/kermany224/train \
        --weights ../shared/weights/mobilenetv2_100_imagenet.safetensors \
        --runs out/cv --out out/comparison [--also PACKAGE ...]

A system whose run folder RUNS/<name>-0 holds a checkpoint is taken from there; another is trained.
Fold 0, which none of them learned from, is parted by patient: calibration and the operating points
triage, balanced and rule-in are set on one part. Two comparisons follow, each to a .json and .png:

- `fold`: the four systems on the whole fold at the operating point `even`, which is probability 0.5
  before calibration and was set on nothing. This is the table of `runs/LOG.md` with intervals.
- `half`: the four systems, and the packages of --also before them, on the other part at `triage`.

A package of --also must not have learned from fold 0; nothing here can check that.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from runs.crossvalidate import systems

from lungflag.calibration import OperatingPoint
from lungflag.data.manifest import Manifest
from lungflag.data.sources import open_data
from lungflag.data.split import add_folds
from lungflag.package import RECORD, ModelPackage
from lungflag.preprocess import Preprocess
from lungflag.training.cache import CachedData, cache_images
from lungflag.training.fit import Fitted, default_workers, fit
from lungflag.training.lit import PneumoniaClassifier
from lungflag.training.packaging import make_package
from lungflag.training.recipe import Recipe

FOLD = 0
EVEN = "even"


def parted(data: Path) -> Manifest:
    """Return all rows: those outside the fold in train, one part of the fold in tune, one in test.

    The fold is that of `runs/crossvalidate.py`.
    """
    manifest = add_folds(open_data(data), folds=3, seed=1)
    held = add_folds(manifest.where(lambda row: row.extra["fold"] == str(FOLD)), folds=2, seed=1)
    part = {row.path: ("tune", "test")[int(row.extra["fold"])] for row in held}
    return manifest.with_splits(part.get(row.path, "train") for row in manifest)


def trained(name: str, weights: str, data: CachedData, run: Path) -> tuple[Recipe, Fitted]:
    """Return a system's recipe and network: of its last checkpoint, or newly trained."""
    checkpoint = run / "last.ckpt"
    if not checkpoint.exists():
        recipe = systems(weights)[name]
        # As in cross-validation, all of the fold is for tuning, which chooses nothing.
        images = tuple(
            replace(i, row=replace(i.row, split="train" if i.row.split == "train" else "tune"))
            for i in data.images
        )
        return recipe, fit(
            recipe, CachedData(images, ()), run, workers=default_workers(), show=False
        )
    recipe = Recipe(**json.loads((run / "recipe.json").read_text())["recipe"])
    if recipe.patience:
        raise SystemExit(f"{run}: chose its epoch by the fold, so it may not be compared on it")
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    if state["epoch"] + 1 < recipe.epochs:
        raise SystemExit(f"{run}: stopped after {state['epoch'] + 1} of {recipe.epochs} epochs")
    if recipe.weights != "none":  # weights in Keras's conventions change padding and scale
        recipe = replace(recipe, weights=weights)
    model = PneumoniaClassifier(recipe)
    # The augmentation has changed since; only the network is wanted.
    differing = model.load_state_dict(state["state_dict"], strict=False)
    strangers = [k for k in (*differing[0], *differing[1]) if not k.startswith("augmentation.")]
    if strangers:
        raise SystemExit(f"{checkpoint}: is of another network ({strangers[0]} and others)")
    epochs = tuple(state["callbacks"]["History"]["epochs"])
    return recipe, Fitted(model.shipped.cpu().eval(), epochs)


def export(name: str, weights: str, data: CachedData, run: Path, out: Path) -> None:
    """Write a system's package."""
    recipe, fitted = trained(name, weights, data, run)
    package = make_package(
        out, name=name, version="1.0.0", recipe=recipe, fitted=fitted, data=data,
        licence={"": "CC BY 4.0"}, citation={"": "doi:10.17632/rscbjbr9sj"}, ages=(1, 5),
    )  # fmt: skip
    even = OperatingPoint(
        EVEN, package.calibration(0.0), "probability 0.5 before calibration; set on no image",
        0.0, 0.0, 0,
    )  # fmt: skip
    with_even = replace(package, operating_points=(*package.operating_points, even))
    with_even.write(out, graph=package.graph_bytes(), card=package.card())


def compare(packages: list[str], data: Path, stem: Path, operating_point: str) -> None:
    """Run `lungflag compare` and leave its table beside its files."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "lungflag", "compare", *packages, str(data)),
            *("--operating-point", operating_point, "--jobs", "2"),
            *("--json", f"{stem}.json", "--figure", f"{stem}.png"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode > 1:
        raise SystemExit(done.returncode)
    print(done.stdout, flush=True)
    stem.with_suffix(".txt").write_text(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--also", nargs="*", default=[])
    parser.add_argument("--cache", type=Path, default=Path(".cache/lungflag"))
    options = parser.parse_args()
    manifest = parted(options.data)
    missing = [n for n in systems("none") if not (options.out / n / RECORD).exists()]
    if missing:
        data = cache_images(manifest, Preprocess(), options.cache)
        for name in missing:
            export(name, options.weights, data, options.runs / f"{name}-{FOLD}", options.out / name)
    four = [str(options.out / name) for name in systems("none")]
    for folder in four:
        ModelPackage.read(folder)  # a package of an older format shows before the long part
    fold, half = options.out / "fold.csv", options.out / "half.csv"
    held = manifest.where(lambda row: row.split != "train")
    held.with_splits("test" for _ in held).write(fold)
    manifest.in_split("test").write(half)
    compare(four, fold, options.out / "fold", EVEN)
    compare([*options.also, *four], half, options.out / "half", "triage")


if __name__ == "__main__":
    main()

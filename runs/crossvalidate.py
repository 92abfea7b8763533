"""Patient-grouped cross-validation of the four systems, resumable fold by fold.

    python runs/crossvalidate.py ../shared/data/kermany224/train \
        --weights ../shared/weights/mobilenetv2_100_imagenet.safetensors --out out/cv

Every fold trains all its epochs and is judged once, at the end: its held-out patients choose no
epoch. The shipped recipe runs on every fold, the others on the first. Results: each figure with its
95% interval, on the terminal and in OUT/crossvalidation.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lungflag.data.sources import open_data
from lungflag.data.split import add_folds
from lungflag.evaluation.intervals import Estimate, estimate
from lungflag.evaluation.metrics import Cases
from lungflag.preprocess import Preprocess
from lungflag.training.cache import CachedData, CachedImage, cache_images
from lungflag.training.export import run_torch
from lungflag.training.fit import default_workers, fit, stack
from lungflag.training.recipe import Recipe

SHIPPED = "fine-tuned"


def systems(weights: str) -> dict[str, Recipe]:
    """Return the recipes to compare; `SHIPPED` runs on every fold, the others on the first."""
    scratch = Recipe(
        weights="none", epochs=7, freeze_epochs=0, lr=1e-3, weight_decay=0.01, patience=0
    )
    tuned = Recipe(weights=weights, epochs=7, patience=0)
    return {
        SHIPPED: tuned,
        "frozen": replace(tuned, epochs=5, freeze_epochs=5),
        "cnn-small": replace(scratch, backbone="cnn-small"),
        "cnn-deep": replace(scratch, backbone="cnn-deep"),
    }


def held_out(recipe: Recipe, data: CachedData, fold: int, run: Path) -> list[dict[str, Any]]:
    """Train without one fold and return the logits of its images."""
    images = tuple(
        CachedImage(
            replace(i.row, split="tune" if i.row.extra["fold"] == str(fold) else "train"), i.file
        )
        for i in data.images
    )
    fitted = fit(recipe, CachedData(images, ()), run, workers=default_workers(), show=False)
    tune = [image for image in images if image.row.split == "tune"]
    logits = run_torch(fitted.network, [stack(tune[i : i + 64]) for i in range(0, len(tune), 64)])
    return [
        {"row": i.row, "fold": fold, "logit": float(logit)}
        for i, logit in zip(tune, logits, strict=True)
    ]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return each figure with its 95% interval: AUROC by fold, the others at probability 0.5."""

    def cases(chosen: list[dict[str, Any]]) -> Cases:
        probability = 1 / (1 + np.exp(-np.array([item["logit"] for item in chosen])))
        _, patient = np.unique([item["row"].patient for item in chosen], return_inverse=True)
        positive = np.array([item["row"].positive for item in chosen])
        return Cases(positive, probability, probability >= 0.5, patient)

    def figure(name: str, chosen: list[dict[str, Any]]) -> list[float | None]:
        found: Estimate = estimate(cases(chosen))[name]
        return [found.value, found.low, found.high]

    folds = [
        [item for item in rows if item["fold"] == k]
        for k in sorted({item["fold"] for item in rows})
    ]
    return {
        "n": len(rows),
        "auroc": [figure("auroc", fold) for fold in folds],
        **{
            f"auroc_{subtype}": [
                figure(
                    "auroc", [i for i in fold if i["row"].extra["subtype"] in (subtype, "normal")]
                )
                for fold in folds
            ]
            for subtype in ("bacteria", "virus")
        },
        **{name: figure(name, rows) for name in ("sensitivity", "specificity", "accuracy")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path(".cache/lungflag"))
    options = parser.parse_args()
    manifest = add_folds(open_data(options.data), folds=options.folds, seed=1)
    data = cache_images(manifest, Preprocess(), options.cache)
    results = {}
    for name, recipe in systems(options.weights).items():
        rows: list[dict[str, Any]] = []
        for fold in range(options.folds if name == SHIPPED else 1):
            # `fit` goes on where it was, and refuses a folder of another recipe or other images.
            rows += held_out(recipe, data, fold, options.out / f"{name}-{fold}")
        results[name] = {"recipe": recipe.to_dict(), **summary(rows)}
        for what, figures in results[name].items():
            if what != "recipe":
                print(name, what, figures, flush=True)
    (options.out / "crossvalidation.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

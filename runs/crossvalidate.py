"""Patient-grouped cross-validation of the four systems, resumable fold by fold.

    python runs/crossvalidate.py ../shared/data/kermany224/train \
        --weights ../shared/weights/mobilenetv2_100_imagenet.safetensors --out out/cv

Every fold trains all its epochs and is judged once, at the end: its held-out patients choose
nothing. Results: a JSON file in OUT and a table on the terminal.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from lungflag.data.sources import open_data
from lungflag.data.split import add_folds
from lungflag.preprocess import Preprocess
from lungflag.training.cache import CachedData, CachedImage, cache_images
from lungflag.training.export import run_torch
from lungflag.training.fit import default_workers, fit, stack
from lungflag.training.recipe import Recipe


def systems(weights: str) -> dict[str, Recipe]:
    """Return the recipes to compare; `fine-tuned` is the shipped one."""
    scratch = Recipe(
        weights="none", epochs=7, freeze_epochs=0, lr=1e-3, weight_decay=0.01, patience=0
    )
    tuned = Recipe(weights=weights, epochs=7, patience=0)
    return {
        "fine-tuned": tuned,
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
        {"image": i.row.path.name, "positive": i.row.positive, "fold": fold, "logit": float(logit),
         "subtype": i.row.extra.get("subtype", "")}
        for i, logit in zip(tune, logits, strict=True)
    ]  # fmt: skip


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return AUROC by fold, and sensitivity and specificity at probability 0.5."""
    positive = np.array([row["positive"] for row in rows])
    logit = np.array([row["logit"] for row in rows])
    fold = np.array([row["fold"] for row in rows])
    return {
        "n": len(rows),
        "auroc": [
            float(roc_auc_score(positive[fold == k], logit[fold == k])) for k in np.unique(fold)
        ],
        "sensitivity": float((logit[positive] >= 0).mean()),
        "specificity": float((logit[~positive] < 0).mean()),
        "accuracy": float(((logit >= 0) == positive).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path(".cache/lungflag"))
    parser.add_argument("--only", nargs="*", help="systems to run; all by default")
    parser.add_argument("--run-folds", type=int, nargs="*", help="folds to run; all by default")
    parser.add_argument("--summary", default="crossvalidation.json", help="file name in OUT")
    options = parser.parse_args()
    manifest = add_folds(open_data(options.data), folds=options.folds, seed=1)
    data = cache_images(manifest, Preprocess(), options.cache)
    results = {}
    for name, recipe in systems(options.weights).items():
        if options.only and name not in options.only:
            continue
        rows = []
        for fold in options.run_folds or range(options.folds):
            file = options.out / f"{name}-{fold}.json"
            if not file.exists():
                found = held_out(recipe, data, fold, options.out / f"{name}-{fold}")
                file.write_text(json.dumps(found))
            rows += json.loads(file.read_text())
        results[name] = {"recipe": recipe.to_dict(), **summary(rows)}
        figures = results[name]
        print(
            f"{name:11} AUROC {' '.join(f'{a:.4f}' for a in figures['auroc'])} "
            f"mean {np.mean(figures['auroc']):.4f}  at 0.5: sensitivity "
            f"{figures['sensitivity']:.4f} specificity {figures['specificity']:.4f} "
            f"accuracy {figures['accuracy']:.4f} n={figures['n']}",
            flush=True,
        )
    (options.out / options.summary).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

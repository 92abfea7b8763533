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

from lungflag.data.sources import open_data
from lungflag.data.split import add_folds
from lungflag.evaluation.intervals import Estimate, estimate
from lungflag.evaluation.metrics import Cases
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


def summary(rows: list[dict[str, Any]], patients: dict[str, str]) -> dict[str, Any]:
    """Return each figure with its 95% interval: AUROC by fold, the others at probability 0.5."""

    def cases(chosen: list[dict[str, Any]]) -> Cases:
        probability = 1 / (1 + np.exp(-np.array([row["logit"] for row in chosen])))
        _, patient = np.unique([patients[row["image"]] for row in chosen], return_inverse=True)
        positive = np.array([row["positive"] for row in chosen])
        return Cases(positive, probability, probability >= 0.5, patient)

    def figure(found: Estimate) -> list[float | None]:
        return [found.value, found.low, found.high]

    whole = estimate(cases(rows))
    folds = sorted({row["fold"] for row in rows})
    return {
        "n": len(rows),
        "auroc": [
            figure(estimate(cases([row for row in rows if row["fold"] == k]))["auroc"])
            for k in folds
        ],
        **{name: figure(whole[name]) for name in ("sensitivity", "specificity", "accuracy")},
    }


def told(figure: list[float]) -> str:
    value, low, high = figure
    return f"{value:.4f} ({low:.4f} to {high:.4f})"


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
    patients = {row.path.name: row.patient for row in manifest}
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
        results[name] = {"recipe": recipe.to_dict(), **summary(rows, patients)}
        figures = results[name]
        print(
            f"{name}, n={figures['n']}, mean AUROC {np.mean([a[0] for a in figures['auroc']]):.4f}"
        )
        for auroc in figures["auroc"]:
            print(f"  AUROC of a fold {told(auroc)}")
        for what in ("sensitivity", "specificity", "accuracy"):
            print(f"  {what} at 0.5 {told(figures[what])}", flush=True)
    (options.out / options.summary).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Compare recipes at reduced size and length, by what still tells them apart.

    python runs/search.py out/two_hospitals.csv \
        --weights ../shared/weights/mobilenetv2_100_imagenet.safetensors --out out/search

Each setting trains on two folds of both hospitals and is judged on the third: AUROC by hospital
(for NIH also within one view position) and of viral pneumonia, specificity at sensitivity 0.98, and
how far the AUROC falls by every corruption of the shift bench at severity 3 and on equalised and
matched pixels. With --left-out it trains without a hospital, or without viral cases, instead, and
is judged on all of that, too. Finished trainings are not repeated. Results: one JSON line a
training in OUT/results.jsonl, and OUT/table.md.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from lungflag.data.manifest import Manifest
from lungflag.evaluation.shift import CORRUPTIONS, corrupt
from lungflag.preprocess import Preprocess
from lungflag.training.cache import CachedData, CachedImage, cache_images
from lungflag.training.fit import fit, stack
from lungflag.training.recipe import Recipe

NIH, GUANGZHOU = "nih_adults", "guangzhou"
LEFT_OUT = (NIH, GUANGZHOU, "virus")
SAMPLE = 240  # images of Guangzhou that the corruptions are applied to, beside all NIH ones


def settings(weights: str, epochs: int, size: int) -> dict[str, Recipe]:
    """Return the recipes to compare, each one change away from `chosen`."""
    base = Recipe(
        weights=weights, image_size=size, epochs=epochs, freeze_epochs=0, patience=0,
        balance=0.5, style_mix=0.6, crop_scale=0.4,
    )  # fmt: skip
    lite = Path(weights).with_name("efficientnet_lite0_imagenet.safetensors")
    infested = replace(base, view="lungs", opacities=0.25)
    return {
        "base": base,
        "lungs alone": replace(base, view="lungs"),
        "lungs, opacities": infested,
        "lungs, opacities, lite0": replace(
            infested, backbone="tf_efficientnet_lite0", weights=str(lite)
        ),
        "both views": replace(base, view="both"),
        "style 0.9": replace(base, style_mix=0.9),
        "equalised": replace(base, equalise=True),
        "equalised, seed 2": replace(base, equalise=True, seed=2),
        "equalised, seed 3": replace(base, equalise=True, seed=3),
        "equalised, both views": replace(base, equalise=True, view="both"),
        "equalised, both views, seed 2": replace(base, equalise=True, view="both", seed=2),
        "equalised, both views, seed 3": replace(base, equalise=True, view="both", seed=3),
        "equalised, lungs": replace(base, equalise=True, view="lungs"),
        "equalised, lower rate": replace(base, equalise=True, lr=3e-4),
        "equalised, lungs, lower rate": replace(base, equalise=True, view="lungs", lr=3e-4),
        "equalised, lungs, seed 2": replace(base, equalise=True, view="lungs", seed=2),
        "equalised, crops to 0.08": replace(base, equalise=True, crop_scale=0.08),
        "no style": replace(base, style_mix=0.0),
        "no balance": replace(base, balance=0.0),
        "192 pixels": replace(base, image_size=192),
        "crops to 0.08": replace(base, crop_scale=0.08),
        "smoothing 0.15": replace(base, label_smoothing=0.15),
        "no averaging": replace(base, ema=0.0),
        "lower rate": replace(base, lr=3e-4),
        "seed 2": replace(base, seed=2),
        "seed 3": replace(base, seed=3),
    }


def trained(
    recipe: Recipe, images: tuple[CachedImage, ...], fold: int, left_out: str, run: Path
) -> tuple[Any, list[CachedImage]]:
    """Train without the fold (and what is `left_out`); return the images left for judging.

    What was left out is judged whole. NIH alone is so small that it gets more epochs.
    """
    if left_out == GUANGZHOU:
        recipe = replace(recipe, epochs=8 * recipe.epochs)
    placed = [replace(i, row=replace(i.row, split=_split(i, fold, left_out))) for i in images]
    kept = CachedData(tuple(i for i in placed if i.row.split != "test"), ())
    fitted = fit(recipe, kept, run, workers=0, show=False)
    return fitted.network, [i for i in placed if i.row.split != "train"]


def _split(image: CachedImage, fold: int, left_out: str) -> str:
    if left_out and left_out in (image.row.source, image.row.extra.get("subtype")):
        return "test"
    return "tune" if image.row.extra["fold"] == str(fold) else "train"


def figures(network: Any, images: list[CachedImage], preprocess: Preprocess) -> dict[str, float]:
    """Return the clean figures and how they fall under shift."""
    found = _figures(images, _logits(network, stack(images)))
    sample = _sample(images)
    pixels = stack(sample)[:, 0]
    clean = _figures(sample, _logits(network, pixels[:, None]))
    drops: dict[str, list[float]] = {}
    for name in CORRUPTIONS:
        spoilt = [
            preprocess(corrupt(name, grey, 3, k).astype(np.float32) / 255)
            for k, grey in enumerate(pixels)
        ]
        after = _figures(sample, _logits(network, np.stack(spoilt)[:, None]))
        for key in ("guangzhou", "nih"):
            if key in clean:
                found[f"{key} {name}"] = clean[key] - after[key]
                graded = name not in ("equalised", "matched")
                drops.setdefault(key, []).extend([clean[key] - after[key]] if graded else [])
    for key, values in drops.items():
        found[f"{key} mean drop"] = float(np.mean(values))
        found[f"{key} worst drop"] = float(np.max(values))
    return found


def _sample(images: list[CachedImage]) -> list[CachedImage]:
    rng = np.random.default_rng(1)
    ours = [i for i in images if i.row.source == GUANGZHOU]
    other = [i for i in images if i.row.source == NIH]
    keep = []
    for group, most in ((ours, SAMPLE), (other, SAMPLE)):
        for positive in (False, True):
            cell = [i for i in group if i.row.positive == positive]
            keep += [cell[k] for k in rng.permutation(len(cell))[: most // 2]]
    return keep


def _logits(network: Any, pixels: Any) -> Any:
    network.eval()
    parts = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(pixels), 64):
            grey = torch.from_numpy(pixels[start : start + 64]).float() / 255
            parts.append(network(grey)[0].float())
    return torch.cat(parts).numpy()


def _figures(images: list[CachedImage], logits: Any) -> dict[str, float]:
    positive = np.array([i.row.positive for i in images])
    source = np.array([i.row.source for i in images])
    where = np.array([i.row.extra.get("view", "") for i in images])
    kind = np.array([i.row.extra.get("subtype", "") for i in images])
    found = {}
    groups = {"guangzhou": source == GUANGZHOU, "nih": source == NIH}
    groups |= {f"nih {view}": (source == NIH) & (where == view) for view in ("AP", "PA")}
    groups |= {k: np.isin(kind, (k, "normal")) for k in ("bacteria", "virus")}
    for name, group in groups.items():
        if 0 < positive[group].sum() < group.sum():
            found[name] = float(roc_auc_score(positive[group], logits[group]))
            at = np.quantile(logits[group & positive], 0.02)
            found[f"{name} spec98"] = float((logits[group & ~positive] < at).mean())
    return found


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    columns = (
        *("guangzhou", "guangzhou spec98", "virus", "nih", "nih AP", "nih PA"),
        *(f"guangzhou {fall}" for fall in ("mean drop", "worst drop", "equalised", "matched")),
        *(f"nih {fall}" for fall in ("mean drop", "equalised", "matched")),
    )
    lines = [f"| setting | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for one in results:
        cells = (f"{one[key]:.3f}" if key in one else "" for key in columns)
        lines.append(f"| {one['setting']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of settings")
    parser.add_argument(
        "--left-out",
        nargs="*",
        choices=LEFT_OUT,
        help="train without each of these; without all three in turn where none is named",
    )
    parser.add_argument("--cache", type=Path, default=Path(".cache/lungflag"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    record = options.out / "results.jsonl"
    lines = record.read_text().splitlines() if record.exists() else []
    results = [json.loads(line) for line in lines]
    manifest = Manifest.read(options.manifest)
    for name, recipe in settings(options.weights, options.epochs, options.size).items():
        if options.only and name not in options.only:
            continue
        data = cache_images(manifest, recipe.preprocess, options.cache)
        for left_out in ("",) if options.left_out is None else options.left_out or LEFT_OUT:
            title = f"{name} without {left_out}" if left_out else name
            if any(one["setting"] == title for one in results):
                continue
            run = options.out / title.replace(",", "").replace(" ", "-")
            network, held_out = trained(recipe, data.images, options.fold, left_out, run)
            one = {
                "setting": title,
                **figures(network, held_out, recipe.preprocess),
                "recipe": recipe.to_dict(),
            }
            one["recipe"]["weights"] = Path(recipe.weights).name
            results.append(one)
            with record.open("a") as stream:
                stream.write(json.dumps(one) + "\n")
            print(table([one]), flush=True)
    (options.out / "table.md").write_text(table(results))


if __name__ == "__main__":
    main()

"""Write the lung fields that the finder sees in every film, for `lungflag heatmaps --lungs DIR`.

python runs/lungs/masks.py out/two_hospitals.csv --split tune --out out/lungs
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from lungflag.data.manifest import Manifest
from lungflag.preprocess import Preprocess
from lungflag.training.cache import cache_images
from lungflag.training.fit import stack
from lungflag.training.lungs import LungCentring, load_lung_finder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--split", default="tune")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache/lungflag"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    centring = LungCentring(load_lung_finder())
    manifest = Manifest.read(options.manifest).in_split(options.split)
    for image in cache_images(manifest, Preprocess(), options.cache).images:
        grey = torch.from_numpy(stack([image])).float() / 255
        lungs = interpolate(centring(grey)[0], grey.shape[-2:], mode="bilinear")[0, 0]
        mask = Image.fromarray((lungs.numpy() > 0.5).astype(np.uint8) * 255)
        mask.save(options.out / f"{image.row.path.stem}.png")


if __name__ == "__main__":
    main()

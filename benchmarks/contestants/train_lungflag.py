"""lungflag's training: an epoch of MobileNetV2 with everything that comes with it.

Augmentation, the moving average of the weights, logs, checkpoint and tuning are in the time.
"""

import sys
import tempfile
from pathlib import Path

from turns import take_turns

from lungflag.data.manifest import Manifest, Row
from lungflag.training.cache import cache_images
from lungflag.training.fit import fit
from lungflag.training.recipe import Recipe

TUNE = 16  # images a label


def main(folder: Path) -> None:
    recipe = Recipe(weights="none", epochs=1, freeze_epochs=0, patience=0)
    rows = []
    for label in ("NORMAL", "PNEUMONIA"):
        for n, path in enumerate(sorted((folder / label).iterdir())):
            split = "tune" if n < TUNE else "train"
            rows.append(Row(path, label.lower(), f"{label}-{n}", split))
    with tempfile.TemporaryDirectory() as place:
        images = cache_images(Manifest(tuple(rows)), recipe.preprocess, Path(place) / "cache")

        def work() -> int:
            with tempfile.TemporaryDirectory() as run:
                fit(recipe, images, Path(run) / "run", workers=0, show=False)
            return len(rows) - 2 * TUNE

        take_turns(work)


main(Path(sys.argv[1]))

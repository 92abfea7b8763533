"""Make int8 versions of a package's graphs, and measure what they change.

    PYTHONPATH=. python -m runs.quantise MANIFEST ORIGINALS PHANTOMS --out out/quantise

MANIFEST is what `runs/two_hospitals.py` writes. Films of its train split set the ranges, those of
its tune split choose the recipe and the band of a second look in 32 bits. What was chosen is then
compared over all films of the Guangzhou set, the original files and the phantoms.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from runs.quantise import measure
from runs.quantise.graphs import Recipe, prepared, quantised
from runs.quantise.squares import squares

from lungflag.data.manifest import Manifest
from lungflag.package import ModelPackage, find_package

RECIPES = (
    Recipe(),
    Recipe("percentile"),
    Recipe("entropy"),
    Recipe(in_floats=("first",)),
    Recipe(in_floats=("last",)),
    Recipe(in_floats=("first", "last")),
    Recipe(in_floats=("depthwise",)),
    Recipe(in_floats=("early",)),
    Recipe(in_floats=("early", "last")),
    Recipe(seven_bits=True),
)
_FILMS = {"minmax": 256, "percentile": 128, "entropy": 128}
_MARGIN = 1.5  # the band, in times of the largest difference on the tune split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("originals", type=Path)
    parser.add_argument("phantoms", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/quantise"))
    asked = parser.parse_args()
    package = ModelPackage.read(find_package("guangzhou"))
    asked.out.mkdir(parents=True, exist_ok=True)
    rows = list(Manifest.read(asked.manifest))
    films = squares(package, [row.path for row in rows], asked.out / "films.npy")
    split = np.array([row.split for row in rows])
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(split == "train"))
    tune = np.flatnonzero(split == "tune")

    figures = {}
    graph = prepared(package.graph_bytes())
    running = {"32 bits": measure.session(package.graph_bytes())}
    for recipe in RECIPES:
        some = films[drawn[: _FILMS[recipe.calibrator]]]
        made = quantised(graph, some, recipe, asked.out / "ranges")
        running[recipe.name] = measure.session(made)
    took = measure.latencies(running, films[tune])
    ours = measure.answers(running["32 bits"], films[tune])
    for name, one in running.items():
        theirs = measure.answers(one, films[tune])
        ms, ratio = took[name]
        figures[name] = {
            "ms": ms, "ratio": ratio, **measure.agreement(package, ours, theirs)
        }  # fmt: skip
        print("tune", name, json.dumps(figures[name]), flush=True)

    best = min(list(running)[1:], key=lambda name: sum(figures[name]["changed"]))
    half_width = _MARGIN * figures[best]["logit_off_most"]
    print(f"chosen by the tune split: {best}; band of {half_width:.3f} logits on either side")
    guangzhou = np.array([row.source == "guangzhou" for row in rows])
    truth = measure.Truth(
        np.array([row.positive for row in rows]),
        np.unique([str(row.patient_key) for row in rows], return_inverse=True)[1],
    )
    sets = {
        "guangzhou": films[guangzhou],
        "tune": films[tune],
        "originals": squares(
            package, sorted(asked.originals.glob("*/*.jpeg")), asked.out / "originals.npy"
        ),
        "phantoms": squares(
            package, sorted(asked.phantoms.glob("phantom-*")), asked.out / "phantoms.npy"
        ),
    }
    for which, some in sets.items():
        ours = measure.answers(running["32 bits"], some)
        theirs = measure.answers(running[best], some)
        found = measure.agreement(package, ours, theirs)
        found["rechecked"] = measure.rechecked(package, ours[0], theirs[0], half_width)
        picked = {"guangzhou": guangzhou, "tune": split == "tune"}.get(which)
        if picked is not None:
            about = measure.Truth(truth.positive[picked], truth.patient[picked])
            found |= measure.accuracy(package, about, ours[0], theirs[0])
        figures[f"{which}: {best}"] = found
        print(which, json.dumps(found), flush=True)
    (asked.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

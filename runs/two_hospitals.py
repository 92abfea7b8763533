"""One manifest of both hospitals, split by patient: folds for the search, a tuning split to ship.

    python runs/two_hospitals.py ../shared/data --out out/two_hospitals.csv

NIH's labels come from report text and are known to be wrong in one of ten to one of five images;
the column `label_noise` says 0.1. All patients of the Guangzhou set are 1 to 5 years old.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from lungflag.data.manifest import Manifest
from lungflag.data.sources import open_data
from lungflag.data.split import add_folds, split_by_patient

NIH_LABEL_NOISE = "0.1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    for source in ("kermany224/train", "nih_adults/manifest.csv"):
        one = open_data(options.data / source)
        split = split_by_patient(one, tune=0.15, test=0.0, seed=1)
        for row in add_folds(split, folds=3, seed=1):
            facts = {"age_group": "child"}
            if row.source == "nih_adults":
                adult = int(row.extra["age"]) >= 18
                facts = {
                    "age_group": "adult" if adult else "child",
                    "label_noise": NIH_LABEL_NOISE,
                }
            rows.append(replace(row, extra={**row.extra, **facts}))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    Manifest(tuple(rows)).write(options.out)


if __name__ == "__main__":
    main()

"""Put what was measured, what the search found and what was seen by eye into the package's card.

python runs/guangzhou/record.py PACKAGE --tune tune.json --originals originals.json
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

from lungflag.card import (
    Development,
    add_development,
    add_evidence,
    add_failures,
    read_evaluation,
    rewrite,
)
from lungflag.package import ModelPackage

SEARCH = Path(__file__).with_name("search.jsonl")
LEFT_OUT = {
    "lower rate without nih_adults": ("nih_adults", "nih", 495, 342),
    "lower rate without guangzhou": ("guangzhou", "guangzhou", 5216, 2846),
}
TUNE = (
    "Patients that the network was not trained on; their images set the calibration and the "
    "thresholds, so that the figures at the operating points are those of the rule."
)
ORIGINALS = (
    "Full-resolution versions of films most of which the network was trained on in small form: "
    "this shows that large files are read in the same way, not how good it is."
)
FAILURES = Path(__file__).with_name("failures.txt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("--tune", type=Path, required=True)
    parser.add_argument("--originals", type=Path, required=True)
    options = parser.parse_args()
    package = ModelPackage.read(options.package)
    found = [
        read_evaluation(file, package, date=date.today().isoformat(), name=name, note=note)
        for file, name, note in (
            (options.tune, "both hospitals, tuning patients", TUNE),
            (options.originals, "Guangzhou originals", ORIGINALS),
        )
    ]
    results = {one["setting"]: one for one in map(json.loads, SEARCH.read_text().splitlines())}
    development = [
        Development(
            what="the same recipe at 128 pixels, trained without this hospital",
            data=data,
            images=images,
            patients=patients,
            metric="AUROC",
            value=results[setting][key],
        )
        for setting, (data, key, images, patients) in LEFT_OUT.items()
    ]
    failures = FAILURES.read_text().splitlines()
    package = add_failures(add_development(add_evidence(package, found), development), failures)
    rewrite(package)


if __name__ == "__main__":
    main()

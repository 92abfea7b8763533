"""Ways to calibrate, compared by cross-validation over patients on out-of-fold logits.

    python runs/calibration/compare.py logits.csv --out out/calibration

The table has the columns label, patient, logit (or probability), and source where there is more
than one data set. Writes OUT/methods.json and OUT/methods.png, and prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lungflag.evaluation import Estimate
from lungflag.evaluation.recalibration import Compared, compare_methods, read_scores
from lungflag.evaluation.recalibration.picture import draw_reliability


def figures(one: Compared) -> dict[str, Estimate]:
    """Return the method's figures by their title."""
    return {
        "calibration error": one.reliability.calibration_error,
        "Brier score": one.brier,
        "log loss": one.log_loss,
        "slope": one.reliability.slope,
        "intercept": one.reliability.intercept,
        "AUROC": one.auroc,
    }


def cell(found: Estimate) -> str:
    """Return a value with its interval."""
    if found.value is None:
        return "-"
    interval = "" if found.low is None else f" ({found.low:.4f} to {found.high:.4f})"
    return f"{found.value:.4f}{interval}"


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()

    scores = read_scores(asked.scores)
    found = compare_methods(scores, seed=asked.seed)
    record: dict[str, Any] = {
        "images": len(scores),
        "patients": scores.patients(),
        "pneumonia": int(scores.positive.sum()),
        "seed": asked.seed,
        "methods": {
            one.name: {
                "strictly increasing": one.strict,
                **{title: asdict(estimate) for title, estimate in figures(one).items()},
            }
            for one in found
        },
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "methods.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draw_reliability(
        {one.name: (one.reliability, one.probability) for one in found},
        asked.out / "methods.png",
        title=f"{len(scores):,} images of {scores.patients():,} patients, out of fold",
    )
    titles = list(figures(found[0]))
    print("| method | " + " | ".join(titles) + " |")
    print("|---" * (len(titles) + 1) + "|")
    for one in found:
        print(f"| {one.name} | " + " | ".join(map(cell, figures(one).values())) + " |")


if __name__ == "__main__":
    main()

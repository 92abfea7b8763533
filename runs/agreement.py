"""How much the detector's probability depends on the resolution a film was stored at.

    python runs/agreement.py ../shared/data/originals ../shared/data/kermany224/train

Compares files of the same class and name in two folders: mean and largest difference of the
probability, and how many decisions change at the default operating point.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from lungflag.detector import Detector
from lungflag.outcome import Finding


def findings(detector: Detector, paths: list[Path]) -> list[Finding]:
    outcomes = list(detector.detect_many(paths, jobs=2))
    rejected = [o for o in outcomes if not isinstance(o, Finding)]
    if rejected:
        raise SystemExit(f"{rejected[0].source}: {rejected[0].reason}")
    return [o for o in outcomes if isinstance(o, Finding)]


def main(first: Path, second: Path) -> None:
    names = sorted(p.relative_to(first) for p in first.glob("*/*.jpeg"))
    detector = Detector.load(threads=1)
    ours = findings(detector, [first / name for name in names])
    theirs = findings(detector, [second / name for name in names])
    difference = np.abs([a.probability - b.probability for a, b in zip(ours, theirs, strict=True)])
    changed = sum(a.flagged != b.flagged for a, b in zip(ours, theirs, strict=True))
    print(
        f"n={len(names)}  difference of the probability: mean {difference.mean():.4f}, "
        f"largest {difference.max():.4f} ({names[int(difference.argmax())]}); "
        f"decisions that change: {changed}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

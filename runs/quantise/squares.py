"""Read each film once: the squares of both graphs, kept as bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.preprocess import Preprocess
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lungflag.package import ModelPackage


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """What the detector and the gate see of some films, each uint8 (n, 1, side, side)."""

    detector: NDArray[np.uint8]
    gate: NDArray[np.uint8]

    def __getitem__(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Squares:
        return Squares(self.detector[rows], self.gate[rows])


def squares(package: ModelPackage, paths: Sequence[Path], cache: Path) -> Squares:
    """Return the squares of `paths`, from the file `cache` where it is there."""
    if cache.exists():
        with np.load(cache) as kept:
            return Squares(kept["detector"], kept["gate"])
    how, gate = package.preprocess, package.gate
    assert gate is not None
    smaller = Preprocess(gate.size, gate.low, gate.high)

    def both(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        pixels = read_radiograph(path, minimum_side=how.working_side).pixels
        small = how.reduced(pixels)
        return how(small), smaller(small)

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(both, paths))
    found = Squares(
        np.stack([a for a, _ in made])[:, None], np.stack([b for _, b in made])[:, None]
    )
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, detector=found.detector, gate=found.gate)
    return found

"""Read each film once: the squares that the detector sees, kept as bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lungflag.package import ModelPackage


def squares(package: ModelPackage, paths: Sequence[Path], cache: Path) -> NDArray[np.uint8]:
    """Return the squares of `paths`, (n, 1, side, side), from the file `cache` where it is there.

    Read as detection reads, at reduced scale.
    """
    if cache.exists():
        kept: NDArray[np.uint8] = np.load(cache)
        return kept
    how = package.preprocess

    def square(path: Path) -> NDArray[np.uint8]:
        return how(read_radiograph(path, minimum_side=how.working_side).pixels)

    with ThreadPoolExecutor(2) as pool:
        found = np.stack(list(pool.map(square, paths)))[:, None]
    np.save(cache, found)
    return found

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lungflag.data.audit.duplicates import near_duplicates
from lungflag.data.audit.measure import Measurement
from lungflag.data.manifest import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray


def measured(thumbnails: NDArray[np.float32]) -> list[Measurement]:
    unit = thumbnails / np.linalg.norm(thumbnails, axis=1, keepdims=True)
    return [
        Measurement(Row(Path(f"{n}.png"), "normal", f"p{n}"), str(n), np.zeros(11), one)
        for n, one in enumerate(unit)
    ]


def test_near_duplicates_are_the_connected_components_across_blocks() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(1200, 64)).astype(np.float32)
    for copy, original in ((600, 3), (1199, 600), (1100, 513), (7, 6), (520, 519)):
        base[copy] = base[original] + 0.05 * rng.normal(size=64).astype(np.float32)
    images = measured(base)
    groups = near_duplicates(images)

    unit = np.stack([one.thumbnail for one in images]).astype(np.float64)
    first, second = np.nonzero(np.triu(unit @ unit.T, 1) >= 0.99)
    links = coo_array((np.ones(len(first)), (first, second)), shape=(1200, 1200))
    _, component = connected_components(links, directed=False)
    expected = {
        frozenset(np.flatnonzero(component == one).tolist())
        for one, size in Counter(component.tolist()).items()
        if size > 1
    }
    assert {frozenset(int(row.path.stem) for row in one.rows) for one in groups} == expected
    assert frozenset({3, 600, 1199}) in expected
    assert [one.correlation for one in groups] == sorted(
        (one.correlation for one in groups), reverse=True
    )

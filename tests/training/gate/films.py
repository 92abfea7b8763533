"""Chests in a few strokes: two dark lungs, a bright middle, bright below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 224


def chest(seed: int) -> NDArray[np.uint8]:
    """Return a square of bytes, a little different for every seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    wide, middle = rng.uniform(0.13, 0.16), rng.uniform(0.2, 0.23)
    grey = np.full((SIDE, SIDE), 170.0)
    for side in (-1, 1):
        lung = ((x - side * middle) / wide) ** 2 + ((y + 0.05) / 0.36) ** 2
        grey -= 120 * (lung < 1)
    grey += 50 * (y > 0.32) - 60 * (y < -0.44)
    grey += rng.normal(0, 4, grey.shape)
    film: NDArray[np.uint8] = np.clip(grey, 0, 255).astype(np.uint8)
    return film

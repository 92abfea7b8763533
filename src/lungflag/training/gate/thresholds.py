"""The gate's thresholds, set by rule on films of patients whom no head was fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lungflag.quality.settings import GateSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lungflag.preprocess import Preprocess

LOST = 0.005
"""Share of good films that may fall below the threshold of ``frontal``."""

DOUBT = (0.3, 0.5)
"""Where that threshold must lie: below, guesses pass; above, other hospitals' films fail."""

FAMILIAR, FAR = 1.0, 4.0
"""Distances from which a film is marked and from which a picture is rejected.

The unit is set by `lungflag.training.gate.fit.fit_distance`. Films of a hospital that was left out
reach 2.2, and 3.5 where they are blurred, noisy or cropped as well.
"""

SMALLEST_SIDE, LONGEST_SHAPE = 112, 3.2
"""Half the side that a network sees; published chest films go up to a shape of 3.0."""


def set_thresholds(frontal: NDArray[np.float32], look: Preprocess) -> GateSettings:
    """Return the settings for a gate.

    Parameters
    ----------
    frontal : NDArray[np.float32]
        Probability of ``frontal`` for good films that the heads were not fitted on, shape (n,).
    look : Preprocess
        The way from a film to the gate's graph.
    """
    return GateSettings(
        size=look.size,
        low=look.low,
        high=look.high,
        smallest_side=SMALLEST_SIDE,
        longest_shape=LONGEST_SHAPE,
        frontal=float(np.clip(np.quantile(frontal, LOST), *DOUBT)),
        familiar=FAMILIAR,
        far=FAR,
    )

"""The gate's thresholds, set by rule on films that were not fitted on."""

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

STRANGE = 0.025
"""Share of the hospitals' own films that may be marked as unfamiliar."""

FAR = 2.5
"""Times the familiar distance from which a picture is rejected, whatever it seems to show.

Films of the other hospital, each left out in turn, reach 2.1 times.
"""

SMALLEST_SIDE, LONGEST_SHAPE = 112, 3.2
"""Half the side that a network sees; the longest published film of the training sets is 3.02."""


def set_thresholds(
    *, frontal: NDArray[np.float32], familiar: NDArray[np.float32], look: Preprocess
) -> GateSettings:
    """Return the settings for a gate.

    Parameters
    ----------
    frontal : NDArray[np.float32]
        Probability of ``frontal`` for good films that the heads were not fitted on, shape (n,).
    familiar : NDArray[np.float32]
        Distances of such films, shape (n,).
    look : Preprocess
        The way from a film to the gate's graph.
    """
    near = float(np.quantile(familiar, 1 - STRANGE))
    return GateSettings(
        size=look.size,
        low=look.low,
        high=look.high,
        smallest_side=SMALLEST_SIDE,
        longest_shape=LONGEST_SHAPE,
        frontal=float(np.clip(np.quantile(frontal, LOST), *DOUBT)),
        familiar=near,
        far=near * FAR,
    )

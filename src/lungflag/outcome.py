"""What lungflag says of one input: a Finding or a Rejection, never both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """The detector's result for one radiograph.

    Attributes
    ----------
    source : str
        The input's path or name.
    probability : float
        Calibrated probability of pneumonia, 0 to 1.
    flagged : bool
        Whether `probability` reaches `threshold`.
    threshold : float
        The operating point's threshold on `probability`.
    operating_point : str
        The operating point's name.
    model, version : str
        The model package and its version.
    seconds : float
        Wall-clock time from file to result.
    heatmap : NDArray[np.float32]
        Class-activation map of shape (h, w) over the whole radiograph, in logit units:
        positive where the pixels speak for pneumonia.
    embedding : NDArray[np.float32]
        The network's feature vector, shape (d,).
    """

    source: str
    probability: float
    flagged: bool
    threshold: float
    operating_point: str
    model: str
    version: str
    seconds: float
    heatmap: NDArray[np.float32]
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rejection:
    """An input that may not be judged. It is neither positive nor negative.

    Attributes
    ----------
    source : str
        The input's path or name.
    reason : str
        Why, in one line.
    operating_point, model, version, seconds
        As in `Finding`.
    """

    source: str
    reason: str
    operating_point: str
    model: str
    version: str
    seconds: float


Outcome = Finding | Rejection

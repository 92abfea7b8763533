"""What lungflag says of one input: a Finding or a Rejection, never both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CODES = {
    "unreadable": "missing, empty, damaged, or of a format that is not read",
    "not-a-radiograph": "a photograph, a text page, a slice, another part of the body",
    "header": "its DICOM header says that it is no frontal chest radiograph for presentation",
    "too-small": "too few rows or columns",
    "blank": "holds no picture",
    "inverted": "air bright and bone dark",
    "rotated": "lies on its side or stands on its head",
    "lateral": "a lateral view",
    "cropped": "shows a part of the chest only, or is out of shape",
    "out-of-distribution": "far from everything that the package was made for",
    "no-answer": "the network's answer is not finite",
    "unexpected": "a failure that nobody foresaw",
}
"""Code of a rejection to its meaning."""


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
    age_group : str
        ``child`` (under 18 years) or ``adult``; empty where the age is not known. The threshold is
        that group's where the package has one.
    marks : tuple[str, ...]
        What a reader must know beside the result, a line each: ``outside validated use: ...``, or
        ``contradiction: ...`` between header, request and picture.
    grey_mean, grey_std : float or None
        Of the greys that the network saw, 0 black to 1 white, for the measures of drift; see
        `lungflag.reference.grey_statistics`. None where they are not known.
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
    age_group: str = ""
    marks: tuple[str, ...] = ()
    grey_mean: float | None = None
    grey_std: float | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """An input that may not be judged. It is neither positive nor negative.

    Attributes
    ----------
    source : str
        The input's path or name.
    code : str
        Why, as one of `CODES`.
    reason : str
        Why, in one line.
    operating_point, model, version, seconds
        As in `Finding`.
    """

    source: str
    code: str
    reason: str
    operating_point: str
    model: str
    version: str
    seconds: float


Outcome = Finding | Rejection

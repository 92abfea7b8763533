"""Drift: this site's images against the package's reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.reference import shorten
from lungflag.station.quality.energy import Energy, energy_distance
from lungflag.station.quality.stability import Stability, stability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from lungflag.calibration import Calibration
    from lungflag.reference import Reference
    from lungflag.station.quality.rows import Image

MOST = 400
"""Embeddings that are compared: a random choice of the patients."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What has moved away from the reference, and how far.

    Attributes
    ----------
    score : Stability
        Of the probabilities.
    grey_mean, grey_std : Stability
        Of the pictures.
    embedding : Energy
        Of what the network sees in them.
    """

    score: Stability
    grey_mean: Stability
    grey_std: Stability
    embedding: Energy


def measure_drift(
    images: Iterable[Image],
    reference: Reference,
    calibration: Calibration,
    embeddings_of: Callable[[Sequence[int]], Mapping[int, bytes]],
) -> Drift:
    """Compare one image of each patient, the newest, with the reference.

    Several images of one patient look alike, and would make chance look like drift.

    Parameters
    ----------
    images : iterable of Image
        The newest first.
    reference : Reference
        Of the package that judged them.
    calibration : Calibration
        Of the same.
    embeddings_of : callable
        From jobs to stored embeddings (little-endian float16).
    """
    chosen: dict[str, Image] = {}
    for image in images:
        if image.probability is not None:
            chosen.setdefault(image.patient, image)
    ours = list(chosen.values())
    scores = np.array([calibration(float(logit)) for logit in reference.logit])
    return Drift(
        stability(scores, np.array([one.probability for one in ours], np.float64)),
        stability(reference.grey_mean, _known(one.grey_mean for one in ours)),
        stability(reference.grey_std, _known(one.grey_std for one in ours)),
        energy_distance(reference.embedding, _embeddings(ours, reference.dimension, embeddings_of)),
    )


def _known(values: Iterable[float | None]) -> NDArray[np.float32]:
    return np.array([value for value in values if value is not None], np.float32)


def _embeddings(
    images: Sequence[Image],
    dimension: int,
    embeddings_of: Callable[[Sequence[int]], Mapping[int, bytes]],
) -> NDArray[np.float32]:
    order = np.random.default_rng(0).permutation(len(images))[:MOST].tolist()
    stored = embeddings_of([images[i].job for i in order])
    whole = [one for one in stored.values() if len(one) == 2 * dimension]
    if not whole:
        return np.zeros((0, 1), np.float32)
    values = np.stack([np.frombuffer(one, "<f2") for one in whole]).astype(np.float32)
    finite = values[np.isfinite(values).all(axis=1)]
    # Rounded as the reference's are in their file.
    return shorten(finite).astype(np.float16).astype(np.float32)

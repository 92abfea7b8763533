"""Made-up sites: logits with a known flaw, and the labels that they promise."""

from __future__ import annotations

import numpy as np

from lungflag.evaluation.recalibration import Scores


def site(
    patients: int, *, seed: int = 0, scale: float = 1.0, shift: float = 0.0, images: float = 1.0
) -> Scores:
    """Return scores whose honest logits are ``(logit - shift) / scale``.

    Half of the patients are ill on average; the images of a patient share most of their logit.
    """
    rng = np.random.default_rng(seed)
    count = 1 + rng.poisson(images - 1, patients)
    patient = np.repeat(np.arange(patients), count)
    honest = rng.normal(0, 4, patients)[patient] + rng.normal(0, 0.5, len(patient))
    positive = rng.random(len(patient)) < 1 / (1 + np.exp(-honest))
    return Scores(scale * honest + shift, positive, patient)

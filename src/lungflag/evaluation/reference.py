"""A package's own view of the films that it was tuned on: what drift is measured against."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

from lungflag.errors import ManifestError
from lungflag.outcome import Finding
from lungflag.reference import MOST, Reference, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lungflag.calibration import Calibration
    from lungflag.data.manifest import Manifest, Row
    from lungflag.detector import Detector
    from lungflag.outcome import Outcome

FEWEST = 100
"""Films below which a reference says too little."""

_SURE = 1e-12  # beyond it a probability no longer tells its logit


def make_reference(
    detector: Detector,
    manifest: Manifest,
    *,
    about: str,
    most: int = MOST,
    seed: int = 0,
    jobs: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> Reference:
    """Judge one film of each patient, and keep what drift can be measured against.

    Rejected films are left out, as they are in the service.

    Parameters
    ----------
    detector : Detector
        The package at work. Load it with ``threads=1`` where `jobs` is above 1.
    manifest : Manifest
        Films that the network was not trained on and that look like those it is meant for.
    about : str
        Where they come from, for people.
    most : int
        Films taken at most.
    seed : int
        Of the draw.
    jobs : int
        Films judged at a time.
    advance : Callable
        Called after each film, for a progress bar.

    Raises
    ------
    ManifestError
        If fewer than `FEWEST` films could be judged.
    """
    rows = one_a_patient(manifest, most, seed)
    outcomes: list[Outcome] = []
    for outcome in detector.detect_many([row.path for row in rows], jobs=jobs):
        outcomes.append(outcome)
        advance()
    kept = [one for one in outcomes if isinstance(one, Finding)]
    if len(kept) < FEWEST:
        raise ManifestError(
            f"a reference needs {FEWEST} films of different patients; {len(kept)} could be judged"
        )
    embeddings = np.stack([one.embedding for one in kept])
    return Reference(
        logit=np.array([_logit(one, detector.package.calibration) for one in kept], np.float32),
        grey_mean=np.array([one.grey_mean for one in kept], np.float32),
        grey_std=np.array([one.grey_std for one in kept], np.float32),
        # As they come out of the file: what is compared later went through the same.
        embedding=shorten(embeddings).astype(np.float16).astype(np.float32),
        dimension=embeddings.shape[1],
        about=about,
    )


def one_a_patient(manifest: Manifest, most: int, seed: int) -> Sequence[Row]:
    """Return one film, drawn at random, of each of at most `most` patients, in random order."""
    order = np.random.default_rng(seed).permutation(len(manifest))
    chosen: dict[tuple[str, str], Row] = {}
    for i in order.tolist():
        row = manifest.rows[i]
        chosen.setdefault(row.patient_key, row)
    return list(chosen.values())[:most]


def _logit(finding: Finding, calibration: Calibration) -> float:
    """Return the network's own answer, before it was calibrated."""
    likely = min(max(finding.probability, _SURE), 1 - _SURE)
    return (log(likely / (1 - likely)) - calibration.intercept) / calibration.slope

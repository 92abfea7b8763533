"""A package's own view of the films that it was tuned on: what drift is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

from lungflag.errors import ManifestError
from lungflag.outcome import Finding
from lungflag.reference import MOST, Reference, grey_statistics, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lungflag.data.manifest import Manifest, Row
    from lungflag.detector import Detector
    from lungflag.outcome import Outcome
    from lungflag.radiograph import Radiograph

FEWEST = 100
"""Films below which a reference says too little."""

_SURE = 1e-12  # beyond it a probability no longer tells its logit


@dataclass(frozen=True, slots=True)
class _Film:
    logit: float
    grey: tuple[float, float]
    embedding: np.ndarray[tuple[int], np.dtype[np.float32]]


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
    films: dict[str, _Film] = {}
    package = detector.package

    def keep(radiograph: Radiograph, finding: Finding) -> None:
        square = package.preprocess(radiograph.pixels)
        likely = min(max(finding.probability, _SURE), 1 - _SURE)
        logit = (log(likely / (1 - likely)) - package.calibration.intercept) / (
            package.calibration.slope
        )
        films[finding.source] = _Film(logit, grey_statistics(square), finding.embedding)

    outcomes: list[Outcome] = []
    for outcome in detector.detect_many([row.path for row in rows], jobs=jobs, on_finding=keep):
        outcomes.append(outcome)
        advance()
    kept = [films[one.source] for one in outcomes if isinstance(one, Finding)]
    if len(kept) < FEWEST:
        raise ManifestError(
            f"a reference needs {FEWEST} films of different patients; {len(kept)} could be judged"
        )
    embeddings = np.stack([film.embedding for film in kept])
    grey = np.array([film.grey for film in kept], np.float32)
    return Reference(
        logit=np.array([film.logit for film in kept], np.float32),
        grey_mean=grey[:, 0],
        grey_std=grey[:, 1],
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

"""Split by patient: no patient ever stands on two sides."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lungflag.data.manifest import Manifest, Row

Patient = tuple[str, str]


def split_by_patient(
    manifest: Manifest, *, tune: float, test: float, seed: int, keep_test: bool = True
) -> Manifest:
    """Place every patient in ``train``, ``tune`` or ``test``, stratified by source and label.

    The result depends on patients, labels and `seed` alone, not on the order of the rows.

    Parameters
    ----------
    manifest : Manifest
        Its earlier ``train`` and ``tune`` are forgotten.
    tune, test : float
        Fractions of the images to place, 0 to 1; the rest is ``train``.
    seed : int
        Of the draw.
    keep_test : bool
        Leave rows that are already ``test`` there; the fractions then count over the others.

    Raises
    ------
    ManifestError
        If the fractions leave no train split, there are too few patients to fill a split, or a
        patient of the kept test split has images outside it.
    """
    fractions = {"train": 1 - tune - test, "tune": tune, "test": test}
    if not (tune >= 0 and test >= 0 and fractions["train"] > 0):  # a NaN fails too
        raise ManifestError(f"tune {tune:g} and test {test:g} must be 0 or more and sum below 1")
    held = _held_patients(manifest) if keep_test else frozenset()
    placed = _place(_movable(manifest, held), fractions, seed)
    return manifest.with_splits(placed.get(row.patient_key, "test") for row in manifest)


def add_folds(manifest: Manifest, *, folds: int, seed: int) -> Manifest:
    """Add cross-validation folds as the column ``fold``, by patient and stratified.

    Rows of the test split take no part in cross-validation: their fold is empty.

    Parameters
    ----------
    manifest : Manifest
        Its splits stay as they are.
    folds : int
        How many, at least 2; the column holds ``0`` to ``folds - 1``.
    seed : int
        Of the draw.

    Raises
    ------
    ManifestError
        If there are fewer than two folds, too few patients to fill them, or a patient of the test
        split has images outside it.
    """
    if folds < 2:
        raise ManifestError(f"{folds} folds: cross-validation needs at least 2")
    rows = _movable(manifest, _held_patients(manifest))
    placed = _place(rows, {str(fold): 1 / folds for fold in range(folds)}, seed)
    return manifest.with_column("fold", (placed.get(row.patient_key, "") for row in manifest))


def _held_patients(manifest: Manifest) -> frozenset[Patient]:
    """Return the patients of the test split, all of whose images must be in it."""
    held = frozenset(row.patient_key for row in manifest if row.split == "test")
    for row in manifest:
        if row.split != "test" and row.patient_key in held:
            raise ManifestError(
                f"{row.path}: patient {row.patient} also has images in the test split; "
                "correct the manifest, or split anew without keeping its test split"
            )
    return held


def _movable(manifest: Manifest, held: frozenset[Patient]) -> list[Row]:
    rows = [row for row in manifest if row.patient_key not in held]
    if not rows:
        raise ManifestError("every row is in the test split, so nothing is left to split")
    return rows


def _place(rows: Sequence[Row], fractions: Mapping[str, float], seed: int) -> dict[Patient, str]:
    """Return the part of each patient."""
    parts = [name for name, fraction in fractions.items() if fraction > 0]
    patients, counts = _count(rows)
    chosen = _apportion(
        counts, np.array([fractions[name] for name in parts]), np.random.default_rng(seed)
    )
    empty = sorted(set(parts) - {parts[part] for part in chosen})
    if empty:
        raise ManifestError(
            f"{len(patients)} patients are too few to fill {len(parts)} parts: "
            f"nothing falls to {', '.join(empty)}"
        )
    return {patient: parts[part] for patient, part in zip(patients, chosen, strict=True)}


def _count(rows: Sequence[Row]) -> tuple[list[Patient], NDArray[np.float64]]:
    """Count images, shape (patients, strata + 1): one column a stratum, the last for all."""
    seen = Counter((row.patient_key, (row.source, row.label)) for row in rows)
    patients = sorted({patient for patient, _ in seen})
    strata = sorted({stratum for _, stratum in seen})
    line = {patient: i for i, patient in enumerate(patients)}
    column = {stratum: i for i, stratum in enumerate(strata)}
    counts = np.zeros((len(patients), len(strata) + 1))
    for (patient, stratum), n in seen.items():
        counts[line[patient], column[stratum]] += n
        counts[line[patient], -1] += n
    return patients, counts


def _apportion(
    counts: NDArray[np.float64], fractions: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Choose a part for each patient so that every stratum is shared out as `fractions` say.

    Patients come in drawn order, those with most images first. Each goes where the chi-square
    distance between the images placed and the images due grows least; for patients of one image
    this is the apportionment of Sainte-Lague, off by less than one image a stratum. Equal folds
    alone would be scikit-learn's StratifiedGroupKFold, which knows no unequal parts.
    """
    due = fractions[:, None] * counts.sum(axis=0)
    placed = np.zeros_like(due)
    chosen = np.zeros(len(counts), dtype=np.intp)
    drawn = rng.permutation(len(counts))
    for patient in drawn[np.argsort(-counts[drawn, -1], kind="stable")]:
        images = counts[patient]
        growth = (images * (2 * placed + images) / due).sum(axis=1)
        chosen[patient] = growth.argmin()
        placed[chosen[patient]] += images
    return chosen

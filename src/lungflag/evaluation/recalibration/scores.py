"""Scores: logits beside the reference standard, and how they are cut into folds by patient."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.data.manifest import LABEL_ALIASES, LABELS
from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lungflag.calibration import Calibration
    from lungflag.evaluation.predictions import Prediction

FOLDS = 5
_CLIP = 1e-16  # logit 36.8: beyond it a probability cannot be told from 1


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The network's logits on labelled images.

    Attributes
    ----------
    logit : NDArray[np.float64]
        Shape (n,). Before any calibration.
    positive : NDArray[np.bool_]
        Shape (n,). Whether the reference standard says pneumonia.
    patient : NDArray[np.intp]
        Shape (n,). The patient of each image, as any integers.

    Raises
    ------
    ManifestError
        If one of the two labels is missing, or a logit is not finite.
    """

    logit: NDArray[np.float64]
    positive: NDArray[np.bool_]
    patient: NDArray[np.intp]

    def __post_init__(self) -> None:
        if not np.isfinite(self.logit).all():
            raise ManifestError("a score is not finite")
        for label, there in zip(LABELS, (~self.positive, self.positive), strict=True):
            if not there.any():
                raise ManifestError(f"no judged image is labelled {label}: both labels are needed")

    def __len__(self) -> int:
        return len(self.logit)

    def patients(self, positive: bool | None = None) -> int:
        """Return the number of patients, of all or with an image of one label."""
        chosen = slice(None) if positive is None else self.positive == positive
        return len(np.unique(self.patient[chosen]))

    def folds(
        self, seed: int, folds: int = FOLDS
    ) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Return (fit, held out) image indices a fold; no patient stands on both sides.

        Labels are spread evenly. There are fewer folds where a label has fewer patients, and none
        where it has only one.
        """
        from sklearn.model_selection import StratifiedGroupKFold

        folds = min(folds, self.patients(positive=True), self.patients(positive=False))
        if folds < 2:
            return []
        cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        found = list(cut.split(self.logit, self.positive, self.patient))
        whole = all(len(np.unique(self.positive[fit])) == 2 for fit, _ in found)
        return found if whole else []


def scores_of(predictions: Sequence[Prediction], calibration: Calibration) -> Scores:
    """Return the logits behind judged `predictions` that `calibration` made probabilities of.

    Raises
    ------
    ManifestError
        As in `Scores`.
    """
    judged = [one for one in predictions if one.probability is not None]
    probability = np.array([one.probability for one in judged], dtype=np.float64)
    keys = {one.row.patient_key: None for one in judged}
    number = {key: index for index, key in enumerate(keys)}
    return Scores(
        logit=(_logit(probability) - calibration.intercept) / calibration.slope,
        positive=np.array([one.row.positive for one in judged], dtype=bool),
        patient=np.array([number[one.row.patient_key] for one in judged], dtype=np.intp),
    )


def read_scores(path: Path) -> Scores:
    """Read a CSV file with the columns label, patient, and logit or probability.

    So does `lungflag evaluate --predictions` write it. A column source, where there is one, keeps
    the patients of two data sets apart. Rows without a score, the rejected images, are left out.

    Raises
    ------
    ManifestError
        If the file cannot be read, lacks a column, holds a value that is none, or as in `Scores`.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: cannot be read as a table ({error})") from error
    have = set(rows[0]) if rows else set()
    score = next((name for name in ("logit", "probability") if name in have), None)
    if score is None or not {"label", "patient"} <= have:
        raise ManifestError(f"{path}: needs rows and the columns label, patient, and logit")
    number: dict[tuple[str, str], int] = {}
    parsed = []
    for line, row in enumerate(rows, start=2):
        try:
            if row[score]:
                key = (row.get("source") or "", row["patient"])
                patient = number.setdefault(key, len(number))
                parsed.append((float(row[score]), _positive(row), patient))
        except ValueError as error:
            raise ManifestError(f"{path}, line {line}: {error}") from error
    values = np.array([one[0] for one in parsed], dtype=np.float64)
    try:
        return Scores(
            logit=_logit(values) if score == "probability" else values,
            positive=np.array([one[1] for one in parsed], dtype=bool),
            patient=np.array([one[2] for one in parsed], dtype=np.intp),
        )
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from error


def _positive(row: Mapping[str, str]) -> bool:
    label = LABEL_ALIASES.get(row["label"], row["label"])
    if label not in LABELS:
        raise ValueError(f"label {row['label']!r} is not one of {', '.join(LABELS)}")
    return label == LABELS[1]


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(probability, _CLIP, 1 - _CLIP)
    logit: NDArray[np.float64] = np.log(p) - np.log1p(-p)
    return logit

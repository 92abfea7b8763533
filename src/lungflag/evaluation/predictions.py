"""The index test's word on each image, beside the reference standard's."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.evaluation.cohort import age_of
from lungflag.evaluation.metrics import Cases
from lungflag.outcome import Rejection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lungflag.data.manifest import Manifest, Row
    from lungflag.detector import Detector

PREDICTION_COLUMNS = (
    *("path", "label", "patient", "probability", "flagged", "outcome", "reason"),
    *("code", "age_group", "marks"),
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image with its reference standard and what the detector said of it.

    Attributes
    ----------
    row : Row
        The manifest's row.
    probability : float or None
        Calibrated probability of pneumonia; None where the image was rejected.
    flagged : bool or None
        The detector's decision; None where the image was rejected.
    reason : str
        Why the image was rejected, else empty.
    code : str
        The same as one word for programs; see `lungflag.outcome.Rejection`.
    age_group : str
        Whose threshold decided: ``child``, ``adult``, or empty for anyone.
    marks : tuple[str, ...]
        What a reader of the finding is warned of, such as 'outside validated use'.
    """

    row: Row
    probability: float | None
    flagged: bool | None
    reason: str = ""
    code: str = ""
    age_group: str = ""
    marks: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether the detector judged the image."""
        return self.flagged is not None


def predict(
    detector: Detector,
    manifest: Manifest,
    *,
    operating_point: str | None = None,
    jobs: int = 1,
) -> Iterator[Prediction]:
    """Yield a prediction for every row of `manifest`, in order; no image stops the others.

    Parameters
    ----------
    detector : Detector
        The index test.
    manifest : Manifest
        The images and their reference standard. Its column ``age`` serves where headers have none.
    operating_point : str or None
        Which of the package's operating points decides; None takes its default.
    jobs : int
        How many images are read and judged at a time.
    """
    paths = [row.path for row in manifest]
    ages = [age_of(row) for row in manifest]
    outcomes = detector.detect_many(paths, operating_point=operating_point, ages=ages, jobs=jobs)
    for row, outcome in zip(manifest, outcomes, strict=True):
        if isinstance(outcome, Rejection):
            yield Prediction(row, None, None, outcome.reason, outcome.code)
        else:
            yield Prediction(
                row,
                outcome.probability,
                outcome.flagged,
                age_group=outcome.age_group,
                marks=outcome.marks,
            )


def judged_cases(predictions: Sequence[Prediction]) -> Cases:
    """Return the judged images alone."""
    return _cases([one for one in predictions if one.judged])


def intention_to_diagnose(predictions: Sequence[Prediction]) -> Cases:
    """Return all images, a rejected one as a wrong answer: missed, or flagged for nothing.

    References
    ----------
    G. M. Schuetz et al., 'Use of 3x2 table with an intention to diagnose approach to assess
    clinical performance of diagnostic tests', BMJ 345:e6717, 2012.
    """
    return _cases(predictions)


def _cases(predictions: Sequence[Prediction]) -> Cases:
    keys = {one.row.patient_key: None for one in predictions}
    number = {key: index for index, key in enumerate(keys)}
    return Cases(
        positive=np.array([one.row.positive for one in predictions], dtype=bool),
        probability=np.array(
            [one.probability if one.judged else not one.row.positive for one in predictions],
            dtype=np.float64,
        ),
        flagged=np.array(
            [one.flagged if one.judged else not one.row.positive for one in predictions],
            dtype=bool,
        ),
        patient=np.array([number[one.row.patient_key] for one in predictions], dtype=np.intp),
    )


def write_predictions(predictions: Iterable[Prediction], path: Path) -> None:
    """Write one CSV row an image, rejected ones too, creating the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PREDICTION_COLUMNS)
        for one in predictions:
            writer.writerow(
                [
                    *(one.row.path, one.row.label, one.row.patient),
                    "" if one.probability is None else repr(float(one.probability)),
                    "" if one.flagged is None else str(bool(one.flagged)).lower(),
                    *("finding" if one.judged else "rejection", one.reason, one.code),
                    *(one.age_group, "; ".join(one.marks)),
                ]
            )

"""What the heatmap of each film of a data set shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lungflag.errors import InputError
from lungflag.evaluation.cohort import age_of
from lungflag.evaluation.heatmaps.places import (
    TOLERANCE,
    lung_share,
    peak,
    points_at,
    side_by_side,
)
from lungflag.outcome import Rejection
from lungflag.radiograph import Radiograph

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from lungflag.data.manifest import Manifest, Row
    from lungflag.detector import Detector
    from lungflag.evaluation.heatmaps.masks import Masks
    from lungflag.evaluation.heatmaps.places import LungShare
    from lungflag.outcome import Finding


@dataclass(frozen=True, slots=True)
class Flip:
    """A map beside the mirrored film's, mirrored back.

    Attributes
    ----------
    correlation : float or None
        Pearson's, over the places that either map speaks of; None where one is level there.
    distance : float
        From peak to peak, as a share of the film's sides.
    """

    correlation: float | None
    distance: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One judged film and its map.

    Attributes
    ----------
    row : Row
        The manifest's row.
    flagged : bool
        The detector's decision.
    hit, near : bool or None
        The pointing game, see `points_at`; None where no lesion is drawn.
    lungs : LungShare or None
        None where the lung fields are not known, or nothing in the map is positive.
    flip : Flip or None
        None where the mirrored film could not be judged.
    """

    row: Row
    flagged: bool
    hit: bool | None
    near: bool | None
    lungs: LungShare | None
    flip: Flip | None


def take_readings(
    detector: Detector,
    manifest: Manifest,
    masks: Masks,
    *,
    operating_point: str | None = None,
    tolerance: float = TOLERANCE,
    jobs: int = 1,
) -> Iterator[Reading | Rejection]:
    """Judge every film, and its mirror image, and yield what their maps show, in order.

    Parameters
    ----------
    detector : Detector
        Makes the maps.
    manifest : Manifest
        The films.
    masks : Masks
        Where their lesions and lung fields are drawn.
    operating_point : str, optional
        Decides what is flagged; the package's default if not given.
    tolerance : float
        Of the pointing game, as a share of the film's longer side.
    jobs : int
        Films worked on at once.

    Raises
    ------
    ManifestError
        If a mask cannot be read or does not fit its film.
    PackageError
        If the package has no such operating point.
    """
    rows = {str(row.path): row for row in manifest}
    found: dict[str, Reading] = {}

    def look(film: Radiograph, finding: Finding) -> None:
        row = rows[film.source]
        hit, near = _pointing(finding, masks.lesions_of(row, film), tolerance)
        lungs = masks.lungs_of(row, film)
        found[film.source] = Reading(
            row=row,
            flagged=finding.flagged,
            hit=hit,
            near=near,
            lungs=None if lungs is None else lung_share(finding.heatmap, lungs),
            flip=_flip(detector, film, finding.heatmap),
        )

    outcomes = detector.detect_many(
        [row.path for row in manifest],
        operating_point=operating_point,
        ages=[age_of(row) for row in manifest],
        jobs=jobs,
        on_finding=look,
    )
    for outcome in outcomes:
        yield outcome if isinstance(outcome, Rejection) else found.pop(outcome.source)


def _pointing(
    finding: Finding, lesions: NDArray[np.bool_] | None, tolerance: float
) -> tuple[bool, bool] | tuple[None, None]:
    if lesions is None:
        return None, None
    return points_at(peak(finding.heatmap, lesions.shape), lesions, tolerance=tolerance)


def _flip(detector: Detector, film: Radiograph, heatmap: NDArray[Any]) -> Flip | None:
    # No gate and no header: a heart on the right is what is asked for here.
    mirrored = Radiograph(np.ascontiguousarray(film.pixels[:, ::-1]), film.source)
    try:
        back = replace(detector, gate=None).detect(mirrored).heatmap[:, ::-1]
    except InputError:
        return None
    values = side_by_side(heatmap, back)
    return Flip(
        None if values is None else float(np.corrcoef(*values)[0, 1]),
        float(np.hypot(*np.subtract(_place(heatmap), _place(back)))),
    )


def _place(heatmap: NDArray[Any]) -> NDArray[np.float64]:
    """Return where the peak is, as shares of the film's height and width."""
    at = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    return (np.array(at) + 0.5) / heatmap.shape

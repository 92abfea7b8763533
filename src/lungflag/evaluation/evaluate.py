"""From predictions to an evaluation: metrics, rejected images, subgroups, warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungflag.data.manifest import LABELS
from lungflag.errors import ManifestError
from lungflag.evaluation.cohort import Cohort, Count, count, describe, grouped
from lungflag.evaluation.intervals import RESAMPLES, estimate
from lungflag.evaluation.metrics import CELLS, METRICS
from lungflag.evaluation.operating import AtPoint, at_operating_points
from lungflag.evaluation.predictions import intention_to_diagnose, judged_cases
from lungflag.evaluation.reliability import Reliability, reliability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lungflag.calibration import OperatingPoint
    from lungflag.data.manifest import Manifest
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.predictions import Prediction

BY_INTENTION = ("accuracy", "sensitivity", "specificity")
BY_SUBGROUP = ("sensitivity", "specificity", "auroc")
HARDEST = 8
ALL = "all"


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The images that share one value of a column.

    Attributes
    ----------
    column, value : str
        What they share.
    count : Count
        How many there are.
    metrics : Mapping[str, Estimate]
        The names of `BY_SUBGROUP`.
    borrowed : bool
        Whether AUROC sets the group's pneumonia against the normal images of all groups, because
        it has none of its own: a subtype of pneumonia, for example.
    """

    column: str
    value: str
    count: Count
    metrics: Mapping[str, Estimate]
    borrowed: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well an index test agrees with the reference standard.

    Attributes
    ----------
    cohort : Cohort
        Who was studied.
    metrics : Mapping[str, Estimate]
        The names of `METRICS`, over the judged images.
    confusion : Mapping[str, Estimate]
        The names of `CELLS`, as shares of the judged images.
    intention_to_diagnose : Mapping[str, Estimate]
        The names of `BY_INTENTION`, over all images, a rejected one as a wrong answer.
    operating_points : tuple[AtPoint, ...]
        The same predictions at each of the operating points asked for.
    reliability : Reliability
        How well calibrated the probabilities of the judged images are.
    rejected : tuple[Prediction, ...]
        The rejected images.
    subgroups : tuple[Subgroup, ...]
        One for every value of every column asked for.
    hardest : Mapping[str, tuple[Prediction, ...]]
        Label to the judged images, worst first, whose probability agrees least with it.
    warnings : tuple[str, ...]
        What a reader of the figures has to know.
    resamples, seed : int
        Of the bootstrap.
    """

    cohort: Cohort
    metrics: Mapping[str, Estimate]
    confusion: Mapping[str, Estimate]
    intention_to_diagnose: Mapping[str, Estimate]
    operating_points: tuple[AtPoint, ...]
    reliability: Reliability
    rejected: tuple[Prediction, ...]
    subgroups: tuple[Subgroup, ...]
    hardest: Mapping[str, tuple[Prediction, ...]]
    warnings: tuple[str, ...]
    resamples: int
    seed: int

    @property
    def count(self) -> Count:
        """How many images there were."""
        return self.cohort.count


def choose_split(manifest: Manifest, split: str | None = None) -> tuple[str, Manifest]:
    """Return a split's name and rows: `split`, else ``test``, else ``tune``, else ``all`` rows.

    Raises
    ------
    ManifestError
        If `split` is asked for and has no rows.
    """
    have = {row.split for row in manifest}
    chosen = split or next((name for name in ("test", "tune") if name in have), ALL)
    return chosen, manifest if chosen == ALL else manifest.in_split(chosen)


def check_columns(manifest: Manifest, columns: Sequence[str]) -> None:
    """Make sure that subgroups can be formed by `columns`, before any image is judged.

    Raises
    ------
    ManifestError
        If a column is not in the manifest.
    """
    have = sorted({"source", *(name for row in manifest for name in row.extra)})
    for column in columns:
        if column not in have:
            raise ManifestError(f"no column {column!r} to group by; there are {', '.join(have)}")


def assess(
    predictions: Sequence[Prediction],
    *,
    by: Sequence[str] = (),
    operating_points: Sequence[OperatingPoint] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Return the evaluation of `predictions`.

    Parameters
    ----------
    predictions : Sequence[Prediction]
        One an image, rejected images too.
    by : Sequence[str]
        Free columns of the manifest, or ``source``, to form subgroups by. Ages form bands.
    operating_points : Sequence[OperatingPoint]
        Of the package, to be set side by side; they decide nothing else.
    resamples, seed : int
        Of the bootstrap; see `lungflag.evaluation.intervals.estimate`.

    Raises
    ------
    ManifestError
        If every image was rejected.
    MissingExtraError
        If SciPy is not installed.
    """
    rejected = tuple(one for one in predictions if not one.judged)
    if len(rejected) == len(predictions):
        first = f"; the first, {rejected[0].row.path}: {rejected[0].reason}" if rejected else ""
        raise ManifestError(f"none of {len(rejected)} images could be judged{first}")
    judged = judged_cases(predictions)
    normals = [one for one in predictions if one.judged and not one.row.positive]
    found = estimate(judged, resamples=resamples, seed=seed)
    strict = estimate(intention_to_diagnose(predictions), resamples=resamples, seed=seed)
    return Evaluation(
        cohort=describe(predictions, by),
        metrics={name: found[name] for name in METRICS},
        confusion={name: found[name] for name in CELLS},
        intention_to_diagnose={name: strict[name] for name in BY_INTENTION},
        operating_points=at_operating_points(
            predictions, operating_points, resamples=resamples, seed=seed
        ),
        reliability=reliability(judged, resamples=resamples, seed=seed),
        rejected=rejected,
        subgroups=tuple(
            _subgroup(column, value, members, normals, resamples, seed)
            for column in dict.fromkeys(by)
            for value, members in grouped(predictions, column)
        ),
        hardest={label: _hardest(predictions, label) for label in LABELS},
        warnings=_warnings(predictions),
        resamples=resamples,
        seed=seed,
    )


def _subgroup(
    column: str,
    value: str,
    members: Sequence[Prediction],
    normals: Sequence[Prediction],
    resamples: int,
    seed: int,
) -> Subgroup:
    found = estimate(judged_cases(members), resamples=resamples, seed=seed)
    size = count(members)
    borrowed = bool(normals and size.judged["pneumonia"] and not size.judged["normal"])
    if borrowed:
        against = judged_cases([*members, *normals])
        found["auroc"] = estimate(against, resamples=resamples, seed=seed)["auroc"]
    return Subgroup(column, value, size, {name: found[name] for name in BY_SUBGROUP}, borrowed)


def _hardest(predictions: Sequence[Prediction], label: str) -> tuple[Prediction, ...]:
    """Return the normals with the highest probability, or the pneumonias with the lowest."""

    def agreement(one: Prediction) -> float:
        probability = one.probability or 0.0
        return probability if one.row.positive else 1 - probability

    judged = [one for one in predictions if one.judged and one.row.label == label]
    return tuple(sorted(judged, key=agreement)[:HARDEST])


def _warnings(predictions: Sequence[Prediction]) -> tuple[str, ...]:
    learned = sum(one.row.split == "train" for one in predictions)
    if not learned:
        return ()
    text = (
        f"{learned} of {len(predictions)} images are of the split 'train': "
        "figures on images that a model may have learned from are optimistic"
    )
    return (text,)

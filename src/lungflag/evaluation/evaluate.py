"""From predictions to an evaluation: metrics, rejected images, subgroups, warnings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungflag.data.manifest import LABELS
from lungflag.errors import ManifestError
from lungflag.evaluation.intervals import RESAMPLES, estimate
from lungflag.evaluation.metrics import CELLS, METRICS
from lungflag.evaluation.predictions import intention_to_diagnose, judged_cases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lungflag.data.manifest import Manifest, Row
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.predictions import Prediction

BY_INTENTION = ("accuracy", "sensitivity", "specificity")
BY_SUBGROUP = ("sensitivity", "specificity", "auroc")
ALL = "all"


@dataclass(frozen=True, slots=True)
class Count:
    """Images, as they came and as they were judged.

    Attributes
    ----------
    images, patients : int
        All images asked for, and their patients.
    judged : Mapping[str, int]
        Label to the number of images that the detector judged.
    rejected : Mapping[str, int]
        Label to the number of images that it rejected.
    """

    images: int
    patients: int
    judged: Mapping[str, int]
    rejected: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The images that share one value of a column; `metrics` has the names of `BY_SUBGROUP`."""

    column: str
    value: str
    count: Count
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well an index test agrees with the reference standard.

    Attributes
    ----------
    count : Count
        How many images there were.
    metrics : Mapping[str, Estimate]
        The names of `METRICS`, over the judged images.
    confusion : Mapping[str, Estimate]
        The names of `CELLS`, as shares of the judged images.
    intention_to_diagnose : Mapping[str, Estimate]
        The names of `BY_INTENTION`, over all images, a rejected one as a wrong answer.
    rejected : tuple[Prediction, ...]
        The rejected images.
    subgroups : tuple[Subgroup, ...]
        One for every value of every column asked for.
    warnings : tuple[str, ...]
        What a reader of the figures has to know.
    resamples, seed : int
        Of the bootstrap.
    """

    count: Count
    metrics: Mapping[str, Estimate]
    confusion: Mapping[str, Estimate]
    intention_to_diagnose: Mapping[str, Estimate]
    rejected: tuple[Prediction, ...]
    subgroups: tuple[Subgroup, ...]
    warnings: tuple[str, ...]
    resamples: int
    seed: int


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
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Return the evaluation of `predictions`.

    Parameters
    ----------
    predictions : Sequence[Prediction]
        One an image, rejected images too.
    by : Sequence[str]
        Free columns of the manifest, or ``source``, to form subgroups by.
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
    found = estimate(judged_cases(predictions), resamples=resamples, seed=seed)
    strict = estimate(intention_to_diagnose(predictions), resamples=resamples, seed=seed)
    return Evaluation(
        count=_count(predictions),
        metrics={name: found[name] for name in METRICS},
        confusion={name: found[name] for name in CELLS},
        intention_to_diagnose={name: strict[name] for name in BY_INTENTION},
        rejected=rejected,
        subgroups=tuple(
            _subgroup(predictions, column, value, resamples, seed)
            for column in dict.fromkeys(by)
            for value in sorted({_value(one.row, column) for one in predictions})
        ),
        warnings=_warnings(predictions),
        resamples=resamples,
        seed=seed,
    )


def _subgroup(
    predictions: Sequence[Prediction], column: str, value: str, resamples: int, seed: int
) -> Subgroup:
    members = [one for one in predictions if _value(one.row, column) == value]
    found = estimate(judged_cases(members), resamples=resamples, seed=seed)
    return Subgroup(column, value, _count(members), {name: found[name] for name in BY_SUBGROUP})


def _value(row: Row, column: str) -> str:
    return row.source if column == "source" else row.extra.get(column, "")


def _count(predictions: Sequence[Prediction]) -> Count:
    judged = Counter(one.row.label for one in predictions if one.judged)
    every = Counter(one.row.label for one in predictions)
    return Count(
        images=len(predictions),
        patients=len({one.row.patient_key for one in predictions}),
        judged={label: judged[label] for label in LABELS},
        rejected={label: every[label] - judged[label] for label in LABELS},
    )


def _warnings(predictions: Sequence[Prediction]) -> tuple[str, ...]:
    learned = sum(one.row.split == "train" for one in predictions)
    if not learned:
        return ()
    text = (
        f"{learned} of {len(predictions)} images are of the split 'train': "
        "figures on images that a model may have learned from are optimistic"
    )
    return (text,)

"""Several index tests on the same images: each one's figures, and its difference to the first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lungflag.errors import ManifestError
from lungflag.evaluation.cohort import Count, count
from lungflag.evaluation.compare.decisions import holm
from lungflag.evaluation.compare.difference import area_difference, decision_difference
from lungflag.evaluation.intervals import RESAMPLES, estimate
from lungflag.evaluation.predictions import intention_to_diagnose, judged_cases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lungflag.evaluation.compare.difference import Difference
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.metrics import Cases
    from lungflag.evaluation.predictions import Prediction

COMPARED = ("auroc", "sensitivity", "specificity", "accuracy")


@dataclass(frozen=True, slots=True)
class Contender:
    """One index test's figures.

    Attributes
    ----------
    name : str
        What it is called in the comparison.
    count : Count
        How many of all images it judged and rejected, by label.
    metrics : Mapping[str, Estimate]
        The names of `COMPARED`, over the images that every contender judged.
    intention_to_diagnose : Mapping[str, Estimate]
        Those that are decisions, over all images, a rejected one as a wrong answer.
    differences : Mapping[str, Difference]
        The names of `COMPARED`, less the first contender's; empty for the first.
    """

    name: str
    count: Count
    metrics: Mapping[str, Estimate]
    intention_to_diagnose: Mapping[str, Estimate]
    differences: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Index tests compared in pairs on the images that all of them judged.

    Attributes
    ----------
    common : Count
        All images; those judged by every contender; those rejected by any.
    contenders : tuple[Contender, ...]
        In the order given. The others are compared with the first.
    warnings : tuple[str, ...]
        What a reader of the figures has to know.
    resamples, seed : int
        Of the bootstrap of the single figures.
    """

    common: Count
    contenders: tuple[Contender, ...]
    warnings: tuple[str, ...]
    resamples: int
    seed: int

    @property
    def rejected(self) -> bool:
        """Whether any contender rejected any image."""
        return any(self.common.rejected.values())


def compare(
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare index tests by their predictions for the same images.

    Parameters
    ----------
    predictions : Mapping[str, Sequence[Prediction]]
        Name to predictions, one an image, the same images in the same order for each.
    resamples, seed : int
        See `lungflag.evaluation.intervals.estimate`.

    Raises
    ------
    ManifestError
        If no image was judged by every contender.
    MissingExtraError
        If SciPy is not installed.
    ValueError
        If there are fewer than two contenders, or they saw different images.
    """
    _check(predictions)
    whole = list(predictions.values())
    shared = [all(one.judged for one in image) for image in zip(*whole, strict=True)]
    if not any(shared):
        raise ManifestError(
            f"none of {len(shared)} images was judged by every package{_first_reason(whole)}"
        )
    cases = [
        judged_cases([one for one, kept in zip(judged, shared, strict=True) if kept])
        for judged in whole
    ]
    figures = [
        {name: found[name] for name in COMPARED}
        for found in (estimate(one, resamples=resamples, seed=seed) for one in cases)
    ]
    differences = [_differences(cases, figures, place) for place in range(1, len(whole))]
    strict = [
        estimate(intention_to_diagnose(judged), resamples=resamples, seed=seed) for judged in whole
    ]
    contenders = tuple(
        Contender(
            name=name,
            count=count(whole[place]),
            metrics=figures[place],
            intention_to_diagnose={key: strict[place][key] for key in COMPARED if key != "auroc"},
            differences=adjusted,
        )
        for place, (name, adjusted) in enumerate(
            zip(predictions, [{}, *_adjust(differences)], strict=True)
        )
    )
    return Comparison(
        common=_common(whole, shared),
        contenders=contenders,
        warnings=_warnings(whole[0]),
        resamples=resamples,
        seed=seed,
    )


def _check(predictions: Mapping[str, Sequence[Prediction]]) -> None:
    if len(predictions) < 2:
        raise ValueError("a comparison needs at least two contenders")
    seen = {tuple(one.row.path for one in judged) for judged in predictions.values()}
    if len(seen) > 1:
        raise ValueError("the contenders saw different images")


def _first_reason(whole: Sequence[Sequence[Prediction]]) -> str:
    for judged in whole:
        for one in judged:
            if not one.judged:
                return f"; the first, {one.row.path}: {one.reason}"
    return ""


def _differences(
    cases: Sequence[Cases], figures: Sequence[Mapping[str, Estimate]], place: int
) -> dict[str, Difference]:
    """Return what separates the contender at `place` from the first."""
    first, second = cases[0], cases[place]
    intervals = (figures[0]["auroc"], figures[place]["auroc"])
    return {
        name: area_difference(first, second, intervals)
        if name == "auroc"
        else decision_difference(name, first, second)
        for name in COMPARED
    }


def _adjust(differences: Sequence[Mapping[str, Difference]]) -> list[dict[str, Difference]]:
    """Return the same with the p-values of each metric adjusted for their number."""
    adjusted = {name: holm([one[name].p for one in differences]) for name in COMPARED}
    return [
        {name: replace(one[name], p_adjusted=adjusted[name][place]) for name in COMPARED}
        for place, one in enumerate(differences)
    ]


def _common(whole: Sequence[Sequence[Prediction]], shared: Sequence[bool]) -> Count:
    """Count the first contender's images as if rejected wherever anyone rejected them."""
    return count(
        [
            one if kept else replace(one, probability=None, flagged=None)
            for one, kept in zip(whole[0], shared, strict=True)
        ]
    )


def _warnings(predictions: Sequence[Prediction]) -> tuple[str, ...]:
    found = []
    learned = sum(one.row.split == "train" for one in predictions)
    if learned:
        found.append(
            f"{learned} of {len(predictions)} images are of the split 'train': a package that "
            "learned from them has an unfair lead"
        )
    sources = len({one.row.source for one in predictions})
    if sources > 1:
        found.append(
            f"the images come from {sources} sources: AUROC over all of them also rewards telling "
            "the sources apart; compare within each source too"
        )
    return tuple(found)

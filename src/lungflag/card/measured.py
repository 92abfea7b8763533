"""The card's sections on what was measured: operating points, evidence, predictive values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.card import texts, words
from lungflag.card.evidence import Figure, development_of, evidence_of
from lungflag.card.words import NOT_MEASURED, figure, in_a_hundred, table
from lungflag.prevalence import (
    PREVALENCES,
    Rate,
    negative_predictive_value,
    positive_predictive_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lungflag.card.evidence import Evidence
    from lungflag.package import ModelPackage

_TITLES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier score",
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "calibration_error": "expected calibration error",
    "slope": "calibration slope (1 is best)",
    "intercept": "calibration intercept (0 is best)",
}
_GROUPS = {"": "anyone", "child": "under 18 years", "adult": "18 years and older"}


def operating_points(package: ModelPackage) -> list[str]:
    """Return where a radiograph is flagged, by which rule, and how that did where it was set."""
    rows = []
    for point in package.operating_points:
        default = " (default)" if point.name == package.default_operating_point else ""
        missed, false = (
            in_a_hundred(Figure(share, None, None, point.n))
            for share in (point.sensitivity, point.specificity)
        )
        rows.append(
            [
                point.name + default,
                _GROUPS[point.age_group],
                f"{point.threshold:.4f}",
                point.rule,
                f"{point.sensitivity:.3f}",
                f"{point.specificity:.3f}",
                f"{point.n:,}",
                f"misses {missed} with pneumonia, flags {false} without",
            ]
        )
    head = ["name", "for", "flags from probability", "rule", "sensitivity", "specificity", "images",
            "in words"]  # fmt: skip
    return [
        texts.POINTS,
        "",
        *table(head, rows),
    ]


def evidence(package: ModelPackage) -> list[str]:
    """Return every evaluation on record, with its intervals."""
    found = evidence_of(package)
    if not found:
        return [texts.NO_EVIDENCE]
    lines = [texts.EVIDENCE]
    for one in found:
        lines += ["", *_evaluation(one, package)]
    return lines


def predictive_values(package: ModelPackage) -> list[str]:
    """Return PPV and NPV at the default operating point, over the prevalence."""
    name = package.default_operating_point
    columns: list[tuple[str, Rates]] = [
        (one.data, (words.rate(one.points[name]["sensitivity"]),
                    words.rate(one.points[name]["specificity"])))
        for one in evidence_of(package)
        if name in one.points
    ]  # fmt: skip
    lines = [texts.PREDICTIVE.format(name=name)]
    if not columns:
        point = package.operating_point()
        certain = tuple(Rate(x, x, x) for x in (point.sensitivity, point.specificity))
        columns = [("where the threshold was set", (certain[0], certain[1]))]
        lines += ["", texts.PREDICTIVE_UNPROVEN]
    head = ["of those examined have pneumonia"]
    for data, _ in columns:
        head += [f"{data}: PPV", f"{data}: NPV"]
    rows = [
        [
            words.percent(prevalence),
            *(
                _predictive(value, rates, prevalence)
                for _, rates in columns
                for value in (positive_predictive_value, negative_predictive_value)
            ),
        ]
        for prevalence in PREVALENCES
    ]
    return [*lines, "", *table(head, rows)]


def calibration(package: ModelPackage) -> list[str]:
    """Return how the probabilities are made, and whether they mean what they say."""
    used = package.calibration
    rows = [
        [one.data, *(figure(one.metrics.get(key)) for key in
                     ("calibration_error", "slope", "intercept", "brier"))]
        for one in evidence_of(package)
    ]  # fmt: skip
    lines = [
        texts.CALIBRATION.format(slope=used.slope, intercept=used.intercept),
        "",
    ]
    if not rows:
        return [*lines, texts.NO_CALIBRATION]
    head = [
        "data",
        "calibration error (0 is best)",
        "slope (1)",
        "intercept (0)",
        "Brier score (0)",
    ]
    return [*lines, *table(head, rows)]


def development(package: ModelPackage) -> list[str]:
    """Return the figures from the package's making."""
    found = development_of(package)
    if not found:
        return [texts.NO_DEVELOPMENT]
    rows = [
        [one.what, one.data, f"{one.images:,} ({one.patients:,})", one.metric,
         figure(Figure(one.value, one.low, one.high, one.images))]
        for one in found
    ]  # fmt: skip
    return [
        texts.DEVELOPMENT,
        "",
        *table(["what", "data", "images (patients)", "figure", "value"], rows),
    ]


Rates = tuple[Rate | None, Rate | None]


def _evaluation(one: Evidence, package: ModelPackage) -> list[str]:
    rejected = sum(one.rejected.values())
    where = "all rows" if one.split == "all" else f"split {one.split}"
    lines = [
        f"### {words.cell(one.data)}, {where}",
        "",
        (f"{one.images:,} images of {one.patients:,} patients; judged {words.labels(one.judged)}; "
        f"rejected {rejected:,} ({words.labels(one.rejected)}). On record since {one.date}. "
        f"{_kinship(one, package)}"),
        "",
        *table(
            ["figure", f"at {one.operating_point} (probability {one.threshold:.4f})", "images"],
            [
                [title, figure(one.metrics.get(key)), f"{one.metrics[key].n:,}"]
                for key, title in _TITLES.items()
                if key in one.metrics
            ],
        ),
        "",
        *table(
            ["operating point", "sensitivity", "specificity", "in words"],
            [[name, figure(rates["sensitivity"]), figure(rates["specificity"]), _in_words(rates)]
             for name, rates in one.points.items()],
        ),
    ]  # fmt: skip
    if one.subgroups:
        rows = [
            [name, *(figure(found[key]) for key in ("auroc", "sensitivity", "specificity"))]
            for name, found in one.subgroups.items()
        ]
        lines += ["", *table(["subgroup", "AUROC", "sensitivity", "specificity"], rows)]
    lines += ["", _shift(one.shift)]
    lines += ["", *(f"- Warning: {words.cell(text)}" for text in one.warnings)] * bool(one.warnings)
    lines += ["", words.cell(one.note)] * bool(one.note)
    return lines


def _kinship(one: Evidence, package: ModelPackage) -> str:
    known = {str(entry["name"]) for entry in package.training_data}
    if not one.sources:
        return "Whether they come from the hospitals of the training images is not on record."
    names = ", ".join(words.cell(name) for name in one.sources)
    if set(one.sources) & known:
        return f"Sources: {names}; of the hospitals of the training images, at least in part."
    return f"Sources: {names}; none of the training images come from there."


def _in_words(rates: Mapping[str, Figure]) -> str:
    return (
        f"misses {in_a_hundred(rates['sensitivity'])} with pneumonia, "
        f"flags {in_a_hundred(rates['specificity'])} without"
    )


def _shift(found: Mapping[str, object]) -> str:
    if not found:
        return f"Robustness to changes of the picture (shift bench): {NOT_MEASURED} here."
    mean, worst = found.get("mean_drop"), found.get("worst_drop")
    text = "Shift bench (the picture made worse): "
    if isinstance(mean, float) and isinstance(worst, float):
        text += (
            f"at severity {found.get('severity')} of 5, AUROC falls by {mean:.3f} on the mean and "
            f"by {worst:.3f} at worst ({found.get('worst')})."
        )
    histogram = found.get("histogram_drops")
    if isinstance(histogram, dict):
        drops = [f"{name} {drop:.3f}" for name, drop in histogram.items() if drop is not None]
        text += f" With the grey scale made alike it falls by: {', '.join(drops)}." * bool(drops)
    return text


def _predictive(value: Callable[[Rate, Rate, float], Rate], rates: Rates, prevalence: float) -> str:
    sensitivity, specificity = rates
    if sensitivity is None or specificity is None:
        return NOT_MEASURED
    try:
        found = value(sensitivity, specificity, prevalence)
    except ValueError:
        return "not defined"
    if sensitivity.low == sensitivity.high:  # taken as known: there is no interval to carry
        return words.number(found.value)
    return figure(Figure(found.value, found.low, found.high, 0))

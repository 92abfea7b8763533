"""Who was studied: how many came, were rejected and were judged, and of what kinds they are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from lungflag.data.manifest import LABELS
from lungflag.quality.header import age_in_years

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lungflag.data.manifest import Row
    from lungflag.evaluation.predictions import Prediction

DESCRIBED = ("source", "age", "sex", "view", "subtype")
AGE_BANDS = (0, 1, 6, 13, 18, 40, 65)

_OLDEST = 120.0  # years; more is a slip of the pen, and stays as it is written


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
class Kind:
    """The images that share one value of a column."""

    column: str
    value: str
    count: Count


@dataclass(frozen=True, slots=True)
class Cohort:
    """The images of a study.

    Attributes
    ----------
    count : Count
        All of them.
    rejected : Mapping[str, Mapping[str, int]]
        A rejection's code to the number of images of each label; most frequent first.
    marked : Mapping[str, int]
        A mark on judged images, such as 'outside validated use', to their number. Marks that
        differ in the patient's age alone are one.
    kinds : tuple[Kind, ...]
        By every value of the columns of `DESCRIBED` that tell the images apart or say something.
    """

    count: Count
    rejected: Mapping[str, Mapping[str, int]]
    marked: Mapping[str, int]
    kinds: tuple[Kind, ...]


def describe(predictions: Sequence[Prediction], by: Sequence[str] = ()) -> Cohort:
    """Return who was studied, by the columns of `DESCRIBED` and those of `by`."""
    columns = [
        column
        for column in dict.fromkeys((*DESCRIBED, *by))
        if any(value_of(one.row, column) for one in predictions)
    ]
    codes = Counter(one.code for one in predictions if not one.judged)
    return Cohort(
        count=count(predictions),
        rejected={
            code: _labels(one.row for one in predictions if not one.judged and one.code == code)
            for code, _ in codes.most_common()
        },
        marked=dict(
            Counter(_kind(mark) for one in predictions for mark in one.marks).most_common()
        ),
        kinds=tuple(
            Kind(column, value, count(members))
            for column in columns
            for value, members in grouped(predictions, column)
        ),
    )


def grouped(predictions: Sequence[Prediction], column: str) -> list[tuple[str, list[Prediction]]]:
    """Return the values of a column, in order, with their predictions."""
    groups: dict[str, list[Prediction]] = {}
    for one in predictions:
        groups.setdefault(value_of(one.row, column), []).append(one)
    order = {band: i for i, band in enumerate(_bands())} if column == "age" else {}
    return sorted(groups.items(), key=lambda group: (order.get(group[0], -1), group[0]))


def value_of(row: Row, column: str) -> str:
    """Return the row's value of a column; a readable age becomes its band."""
    if column == "source":
        return row.source
    age = age_of(row) if column == "age" else None
    if age is None:
        return row.extra.get(column, "").strip()
    return _bands()[sum(age >= lowest for lowest in AGE_BANDS[1:])]


def age_of(row: Row) -> float | None:
    """Return the age in years that the column ``age`` states, as a number or as DICOM writes it."""
    text = row.extra.get("age", "").strip()
    try:
        age = float(text)
    except ValueError:
        return age_in_years({"PatientAge": text})
    return age if 0 <= age < _OLDEST else None


def count(predictions: Sequence[Prediction]) -> Count:
    """Count images and patients."""
    return Count(
        images=len(predictions),
        patients=len({one.row.patient_key for one in predictions}),
        judged=_labels(one.row for one in predictions if one.judged),
        rejected=_labels(one.row for one in predictions if not one.judged),
    )


def _kind(mark: str) -> str:
    """Return the mark without the one patient's age."""
    return re.sub(r"\bage \d+ (years|months)", "age", mark)


def _labels(rows: Iterable[Row]) -> dict[str, int]:
    found = Counter(row.label for row in rows)
    return {label: found[label] for label in LABELS}


def _bands() -> list[str]:
    inner = [f"{low} to {high - 1} years" for low, high in pairwise(AGE_BANDS[1:])]
    return [f"under {AGE_BANDS[1]} year", *inner, f"{AGE_BANDS[-1]} years and over"]

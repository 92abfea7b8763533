from __future__ import annotations

from pathlib import Path

import pytest

from lungflag.data.manifest import Row
from lungflag.evaluation import Prediction, age_of, assess, describe


def row(name: str, patient: str = "", source: str = "here", **extra: str) -> Row:
    label = "pneumonia" if name.startswith("p") else "normal"
    return Row(Path(f"{name}.png"), label, patient or name, "test", source, extra)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("4", 4.0),
        (" 58.5 ", 58.5),
        ("018M", 1.5),
        ("058Y", 58.0),
        ("", None),
        ("unknown", None),
        ("nan", None),
        ("-1", None),
        ("412", None),
    ],
)
def test_ages_as_numbers_and_as_dicom_writes_them(text: str, age: float | None) -> None:
    found = age_of(row("p", age=text))
    assert found == (None if age is None else pytest.approx(age, abs=0.01))


def test_ages_form_bands_in_their_order_and_what_is_no_age_stays() -> None:
    ages = ["70", "4", "0.5", "006M", "17", "30", "1", "elderly", "412"]
    cohort = describe([Prediction(row(f"p{i}", age=a), 0.9, True) for i, a in enumerate(ages)])
    bands = [(kind.value, kind.count.images) for kind in cohort.kinds if kind.column == "age"]
    assert bands == [
        ("412", 1),
        ("elderly", 1),
        ("under 1 year", 2),
        ("1 to 5 years", 2),
        ("13 to 17 years", 1),
        ("18 to 39 years", 1),
        ("65 years and over", 1),
    ]


def test_rejections_by_code_and_marks_without_the_one_patients_age() -> None:
    mark = "outside validated use: age {} years, validated on 1 to 5 years"
    cohort = describe(
        [
            Prediction(row("p1", age="34"), 0.9, True, marks=(mark.format(34),)),
            Prediction(row("p2", age="61"), 0.9, True, marks=(mark.format(61), "odd")),
            Prediction(row("n1"), None, None, "flat", "blank"),
            Prediction(row("n2"), None, None, "torn", "unreadable"),
            Prediction(row("p3"), None, None, "torn", "unreadable"),
        ]
    )
    assert list(cohort.rejected.items()) == [
        ("unreadable", {"normal": 1, "pneumonia": 1}),
        ("blank", {"normal": 1, "pneumonia": 0}),
    ]
    assert cohort.marked == {
        "outside validated use: age, validated on 1 to 5 years": 2,
        "odd": 1,
    }


def test_columns_that_say_nothing_are_left_out_and_those_asked_for_are_there() -> None:
    some = [Prediction(row("p1", sex="", ward="A"), 0.9, True), Prediction(row("n1"), 0.1, False)]
    assert {kind.column for kind in describe(some).kinds} == {"source"}
    kinds = describe(some, ["ward"]).kinds
    assert [(k.column, k.value) for k in kinds] == [("source", "here"), ("ward", ""), ("ward", "A")]


def test_a_subtype_borrows_the_normal_images_of_all_groups_for_its_auroc() -> None:
    some = [
        *(Prediction(row(f"p{i}", kind="virus"), 0.2 * i, True) for i in range(1, 5)),
        *(Prediction(row(f"n{i}"), 0.15 * i, False) for i in range(1, 5)),
    ]
    empty, virus = assess(some, by=["kind"], resamples=100).subgroups
    assert (empty.borrowed, virus.borrowed) == (False, True)
    assert empty.metrics["auroc"].note == "not defined: no pneumonia images"
    assert virus.metrics["auroc"] == assess(some, resamples=100).metrics["auroc"]
    assert virus.metrics["specificity"].note == "not defined: no normal images"

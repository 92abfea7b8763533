from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.errors import QualityError
from lungflag.quality import ValidatedUse
from lungflag.quality.header import age_group, age_in_years, beside, check_header, marks

USE = ValidatedUse(
    ages=(1, 85), hospitals=("a",), institutions=("St. Elsewhere  Hospital",), views=("AP", "PA")
)


@pytest.mark.parametrize(
    ("header", "years"),
    [
        ({"PatientAge": "045Y"}, 45),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": "052W"}, 364 / 365.25),
        ({"PatientAge": "003D"}, 3 / 365.25),
        ({"PatientAge": " 7y "}, 7),
        ({"PatientBirthDate": "20000301", "StudyDate": "20200301"}, 20),
        ({"PatientAge": "old", "PatientBirthDate": "20000301", "StudyDate": "20100301"}, 10),
        ({"PatientBirthDate": "20200301", "StudyDate": "20000301"}, None),
        ({"PatientBirthDate": "2000", "StudyDate": "20000301"}, None),
        ({"PatientAge": "Y"}, None),
        ({}, None),
    ],
)
def test_the_age_is_what_the_header_says(header: dict[str, str], years: float | None) -> None:
    assert age_in_years(header) == (None if years is None else pytest.approx(years, abs=0.01))


def test_eighteen_is_adult() -> None:
    assert [age_group(age) for age in (None, 0.0, 17.9, 18.0, 90.0)] == [
        "",
        "child",
        "child",
        "adult",
        "adult",
    ]


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"BodyPartExamined": "CHEST", "ViewPosition": "PA", "PatientOrientation": "L\\F"},
        {"BodyPartExamined": "Port Chest", "ViewPosition": "AP"},
        {"BodyPartExamined": "THORAX_PA", "ViewPosition": ""},
        {"BodyPartExamined": "Torax"},
        {"BodyPartExamined": "UNKNOWN"},
    ],
)
def test_a_frontal_chest_passes(header: dict[str, str]) -> None:
    check_header(header, "film")


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ({"BodyPartExamined": "SKULL"}, "Body Part Examined SKULL"),
        ({"BodyPartExamined": "TSPINE"}, "TSPINE"),
        ({"ViewPosition": "LL"}, "View Position LL"),
        ({"ViewPosition": "LATERAL"}, "LATERAL"),
        ({"ViewPosition": "Left Lat"}, "LEFT LAT"),
        ({"ViewPosition": "LLD"}, "LLD"),
        ({"ViewPosition": "RAO"}, "RAO"),
        ({"PatientOrientation": "A\\F"}, "a lateral view"),
    ],
)
def test_what_says_that_it_is_no_frontal_chest_is_refused(
    header: dict[str, str], word: str
) -> None:
    with pytest.raises(QualityError, match=word) as caught:
        check_header(header, "film")
    assert caught.value.code == "header"


def test_within_validated_use_there_is_no_mark() -> None:
    header = {"InstitutionName": "st. elsewhere hospital", "ViewPosition": "PA"}
    for age in (1.0, 40.0, 85.9):
        assert marks(header, USE, age=age, asked="") == ()
    assert marks({}, USE, age=None, asked="adult") == ()


@pytest.mark.parametrize(
    ("header", "age", "asked", "mark"),
    [
        ({}, 0.5, "", "outside validated use: age 6 months, validated on 1 to 85 years"),
        ({}, 91.0, "", "outside validated use: age 91 years, validated on 1 to 85 years"),
        ({"InstitutionName": "Elsewhere"}, None, "", "outside validated use: hospital 'Elsewhere'"),
        ({"ViewPosition": "XX"}, None, "", "outside validated use: View Position XX, validated on"),
        ({}, 40.0, "child", "contradiction: asked for child, but the patient's age is 40 years"),
        (
            {"PatientAge": "040Y", "PatientBirthDate": "20000101", "StudyDate": "20200101"},
            40.0,
            "",
            "contradiction: Patient's Age is 40 years, by the birth date 20 years",
        ),
        ({"SeriesDescription": "Chest_LAT"}, None, "", "contradiction: SeriesDescription says"),
    ],
)
def test_a_mark_says_what_is_the_matter(
    header: dict[str, str], age: float | None, asked: str, mark: str
) -> None:
    (found,) = marks(header, USE, age=age, asked=asked)
    assert found.startswith(mark)


def test_a_series_of_both_views_is_no_contradiction() -> None:
    assert marks({"SeriesDescription": "CHEST PA AND LAT"}, USE, age=None, asked="") == ()


def test_a_hospital_is_outside_where_none_is_recorded() -> None:
    (found,) = marks({"InstitutionName": "X"}, ValidatedUse(), age=5, asked="")
    assert "hospital 'X'" in found


def test_a_refusal_by_the_picture_quotes_the_header() -> None:
    assert beside("lateral", {"ViewPosition": "PA"}) == "; its header says View Position PA"
    assert beside("lateral", {}) == ""
    assert beside("cropped", {"ViewPosition": "PA"}) == ""


@given(
    st.dictionaries(
        st.sampled_from(
            ["PatientAge", "PatientBirthDate", "StudyDate", "BodyPartExamined", "ViewPosition",
             "PatientOrientation", "InstitutionName", "SeriesDescription", "ProtocolName"]
        ),
        st.text(max_size=90),
    )
)  # fmt: skip
def test_no_header_breaks_it_or_a_line(header: dict[str, str]) -> None:
    try:
        check_header(header, "film")
    except QualityError as error:
        assert error.reason.isprintable()  # noqa: PT017
    for mark in marks(header, USE, age=age_in_years(header), asked="child"):
        assert mark.isprintable()

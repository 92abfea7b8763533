"""The gate between a film and the detector, with a graph whose answer is written in the film."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from lungflag.detector import Detector
from lungflag.errors import PackageFormatError, QualityError
from lungflag.outcome import CODES, Finding, Rejection
from lungflag.phantom import make_phantom, to_dicom
from lungflag.quality import ValidatedUse
from lungflag.quality.settings import KINDS
from lungflag.radiograph import Radiograph
from tests.packages import TINY_GATE, build_gate

if TYPE_CHECKING:
    from tests.packages import PackageMaker

SIDE = TINY_GATE.size


def film(kind: str = "frontal", *, distance: float = 1.0, others: int = 0) -> Radiograph:
    """Return a film that the tiny gate takes for `kind`, at a distance of 0 to 15."""
    pixels = np.tile(np.linspace(0, 255, SIDE).round(), (SIDE, 1)).astype(np.float32)
    pixels[0, : len(KINDS)] = others
    pixels[0, KINDS.index(kind)] = 250
    pixels[-1, -2] = distance * 16
    return Radiograph(pixels / np.float32(255), "film")


@pytest.fixture
def detector(tmp_path: Path, make_package: PackageMaker) -> Detector:
    make_package(tmp_path / "gated", gate=TINY_GATE)
    return Detector.load(tmp_path / "gated", threads=1)


def test_a_frontal_film_is_judged_without_a_mark(detector: Detector) -> None:
    finding = detector.detect(film())
    assert isinstance(finding, Finding)
    assert (finding.marks, finding.age_group) == ((), "")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("inverted", "inverted"),
        ("rotated-90", "rotated"),
        ("rotated-180", "rotated"),
        ("rotated-270", "rotated"),
        ("lateral", "lateral"),
        ("cropped", "cropped"),
        ("blank", "blank"),
        ("other", "not-a-radiograph"),
    ],
)
def test_every_other_kind_is_refused_with_its_code(
    detector: Detector, kind: str, code: str
) -> None:
    with pytest.raises(QualityError) as caught:
        detector.detect(film(kind))
    assert caught.value.code == code
    assert code in CODES


def test_an_undecided_gate_refuses(detector: Detector) -> None:
    with pytest.raises(QualityError) as caught:
        detector.detect(film("lateral", others=250))
    assert caught.value.code != "frontal"


@pytest.mark.parametrize(("distance", "marked"), [(3.9, False), (4.1, True), (7.9, True)])
def test_an_unfamiliar_film_is_marked(detector: Detector, distance: float, marked: bool) -> None:
    marks = detector.detect(film(distance=distance)).marks
    assert len(marks) == marked
    assert all(mark.startswith("outside validated use: unlike the films") for mark in marks)


def test_a_film_from_far_away_is_refused(detector: Detector) -> None:
    with pytest.raises(QualityError, match="unlike every film") as caught:
        detector.detect(film(distance=8.2))
    assert caught.value.code == "out-of-distribution"


@pytest.mark.parametrize(
    ("shape", "code"), [((39, 60), "too-small"), ((60, 39), "too-small"), ((40, 101), "cropped")]
)
def test_size_and_shape_come_first(detector: Detector, shape: tuple[int, int], code: str) -> None:
    pixels = np.random.default_rng(0).random(shape, np.float32)
    with pytest.raises(QualityError, match=f"{shape[1]} x {shape[0]}") as caught:
        detector.detect(Radiograph(pixels, "film"))
    assert caught.value.code == code


def test_an_answer_that_is_no_number_refuses(tmp_path: Path, make_package: PackageMaker) -> None:
    make_package(tmp_path / "p", gate=TINY_GATE, gate_graph=build_gate(broken=True))
    with pytest.raises(QualityError) as caught:
        Detector.load(tmp_path / "p").detect(film())
    assert caught.value.code == "no-answer"


@pytest.mark.parametrize(
    "graph", [b"no graph", build_gate(rename="far"), build_gate(size=24)], ids=range(3)
)
def test_a_gate_that_breaks_its_contract_is_refused(
    tmp_path: Path, make_package: PackageMaker, graph: bytes
) -> None:
    make_package(tmp_path / "p", gate=TINY_GATE, gate_graph=graph)
    with pytest.raises(PackageFormatError, match=r"gate\.onnx"):
        Detector.load(tmp_path / "p")


def test_what_a_header_says_stands_beside_what_the_picture_shows(detector: Detector) -> None:
    seen = film("lateral")
    with pytest.raises(QualityError, match=r"lateral view; its header says View Position PA$"):
        detector.detect(Radiograph(seen.pixels, "film", {"ViewPosition": "PA"}))


def _dicom(**changes: str) -> Dataset:
    dataset = to_dicom(make_phantom(3, pneumonia=False, size=64))
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


def test_the_header_chooses_the_threshold_and_sets_the_marks(
    tmp_path: Path, make_package: PackageMaker
) -> None:
    from tests.packages import tiny_fields

    (_, anyone) = tiny_fields()["operating_points"]
    child = type(anyone)("balanced", 0.125, "", 0.9, 0.9, 10, "child")
    use = ValidatedUse(ages=(1, 60), institutions=("Here",), views=("AP", "PA"))
    make_package(tmp_path / "p", operating_points=(anyone, child), validated=use)
    detector = Detector.load(tmp_path / "p", threads=1)
    sources = [
        _dicom(PatientAge="004Y", InstitutionName="HERE"),
        _dicom(PatientAge="070Y", InstitutionName="There"),
        _dicom(),
        _dicom(BodyPartExamined="HAND"),
        _dicom(Modality="CT"),
    ]
    young, old, unknown, hand, ct = detector.detect_many(sources, age_group="child")
    assert isinstance(young, Finding)
    assert (young.age_group, young.threshold, young.marks) == ("child", 0.125, ())
    assert isinstance(old, Finding)
    assert (old.age_group, old.threshold) == ("adult", anyone.threshold)
    assert [mark.split(":")[0] for mark in old.marks] == [
        "outside validated use",
        "outside validated use",
        "contradiction",
    ]
    assert isinstance(unknown, Finding)
    assert (unknown.age_group, unknown.threshold, unknown.marks) == ("child", 0.125, ())
    for refused in (hand, ct):
        assert isinstance(refused, Rejection)
        assert refused.code == "header"


def test_ages_may_come_with_the_inputs(tmp_path: Path, detector: Detector) -> None:
    grey = Image.fromarray((film().pixels * 255).astype(np.uint8))
    grey.save(tmp_path / "film.png")
    ages = [3.0, None, 30.0]
    outcomes = detector.detect_many([tmp_path / "film.png"] * 4, ages=ages, jobs=2)
    groups = [one.age_group for one in outcomes if isinstance(one, Finding)]
    assert groups == ["child", "", "adult", ""]
    assert detector.detect(film(), age=3).age_group == "child"
    with pytest.raises(ValueError, match="age_group"):
        detector.detect(film(), age_group="baby")


def test_every_code_is_explained_in_the_documents() -> None:
    told = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
    assert [code for code in CODES if f"| `{code}` |" not in told] == []


def test_every_rejection_of_a_batch_has_a_code(tmp_path: Path, detector: Detector) -> None:
    (tmp_path / "empty.png").touch()
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "blank.png")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "tiny.png")
    names = ["empty.png", "missing.png", "blank.png", "tiny.png"]
    outcomes = list(detector.detect_many([tmp_path / name for name in names]))
    codes = [one.code for one in outcomes if isinstance(one, Rejection)]
    assert codes == ["unreadable", "unreadable", "blank", "too-small"]

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lungflag.calibration import OperatingPoint
from lungflag.data.manifest import Manifest, Row
from lungflag.errors import ManifestError, PackageError
from lungflag.evaluation import (
    CELLS,
    METRICS,
    Prediction,
    assess,
    check_columns,
    choose_split,
    document,
    judged_cases,
    predict,
    trace,
    write_predictions,
)

if TYPE_CHECKING:
    from lungflag.package import ModelPackage


def row(name: str, *, split: str = "test", patient: str = "", **extra: str) -> Row:
    label = "pneumonia" if name.startswith("p") else "normal"
    return Row(Path(f"{name}.png"), label, patient or name, split, "here", extra)


def judged(name: str, probability: float, **more: str) -> Prediction:
    return Prediction(row(name, **more), probability, probability >= 0.5)


def rejected(name: str, reason: str = "blank", **more: str) -> Prediction:
    return Prediction(row(name, **more), None, None, reason, "unreadable")


SOME = (
    *(judged(f"p{i}", 0.9, kind="virus" if i % 2 else "bacteria") for i in range(8)),
    judged("p-missed", 0.1, kind="bacteria"),
    *(judged(f"n{i}", 0.2) for i in range(6)),
    judged("n-false", 0.7),
    rejected("p-blank", kind="virus"),
    rejected("n-torn", "truncated"),
)


def test_rejected_images_are_counted_and_listed_and_neither_positive_nor_negative() -> None:
    found = assess(SOME)
    assert (found.count.images, found.count.patients) == (18, 18)
    assert found.count.judged == {"normal": 7, "pneumonia": 9}
    assert found.count.rejected == {"normal": 1, "pneumonia": 1}
    assert [(one.row.path.name, one.reason) for one in found.rejected] == [
        ("p-blank.png", "blank"),
        ("n-torn.png", "truncated"),
    ]
    assert found.metrics["sensitivity"].value == pytest.approx(8 / 9)
    assert found.metrics["specificity"].value == pytest.approx(6 / 7)
    assert found.metrics["accuracy"].n == 16
    assert [found.confusion[cell].value for cell in CELLS] == [8 / 16, 1 / 16, 1 / 16, 6 / 16]


def test_by_intention_to_diagnose_a_rejection_is_a_wrong_answer() -> None:
    found = assess(SOME).intention_to_diagnose
    assert found["sensitivity"].value == pytest.approx(8 / 10)
    assert found["specificity"].value == pytest.approx(6 / 8)
    assert found["accuracy"].value == pytest.approx(14 / 18)
    assert found["accuracy"].n == 18


def test_images_of_a_patient_are_one_and_names_are_unique_within_a_source_only() -> None:
    same = [judged("p1", 0.9, patient="A"), judged("p2", 0.9, patient="A"), judged("n1", 0.1)]
    assert assess(same).metrics["sensitivity"].patients == 1
    elsewhere = Row(Path("p3.png"), "pneumonia", "A", "test", "other hospital")
    assert assess([*same, Prediction(elsewhere, 0.9, True)]).metrics["sensitivity"].patients == 2


def test_all_rejected_is_an_error_that_names_the_first() -> None:
    with pytest.raises(ManifestError, match=r"none of 2 .*p1\.png: blank"):
        assess([rejected("p1"), rejected("n1")])


def test_subgroups_keep_small_and_empty_groups_in_sight() -> None:
    alone = rejected("p-odd", kind="fungus")
    found = assess([*SOME, alone], by=["kind", "source", "kind"])
    assert [(group.column, group.value) for group in found.subgroups] == [
        ("kind", ""),
        ("kind", "bacteria"),
        ("kind", "fungus"),
        ("kind", "virus"),
        ("source", "here"),
    ]
    normal, bacteria, fungus, virus, every = found.subgroups
    assert bacteria.metrics["sensitivity"].value == pytest.approx(4 / 5)
    assert bacteria.metrics["specificity"].note == "not defined: no normal images"
    assert normal.metrics["specificity"].value == pytest.approx(6 / 7)
    assert fungus.count.rejected["pneumonia"] == 1
    assert fungus.metrics["auroc"].note == "not defined: no image was judged"
    assert virus.count.rejected == {"normal": 0, "pneumonia": 1}
    assert every.metrics["auroc"] == found.metrics["auroc"]


def test_images_of_train_are_warned_of() -> None:
    assert assess(SOME).warnings == ()
    warning = assess([*SOME, judged("p77", 0.8, split="train")]).warnings[0]
    assert warning.startswith("1 of 19 images are of the split 'train'")


@pytest.mark.parametrize(
    ("splits", "asked", "chosen", "images"),
    [
        (("train", "tune", "test"), None, "test", 1),
        (("train", "tune", "tune"), None, "tune", 2),
        (("train", "", "train"), None, "all", 3),
        (("train", "tune", "test"), "train", "train", 1),
        (("train", "tune", "test"), "all", "all", 3),
    ],
)
def test_the_split(splits: tuple[str, ...], asked: str | None, chosen: str, images: int) -> None:
    manifest = Manifest(tuple(row(f"p{i}", split=split) for i, split in enumerate(splits)))
    name, part = choose_split(manifest, asked)
    assert (name, len(part)) == (chosen, images)


def test_a_split_or_a_column_that_is_not_there_is_an_error() -> None:
    manifest = Manifest((row("p1", age="4"),))
    with pytest.raises(ManifestError, match="tune"):
        choose_split(manifest, "tune")
    check_columns(manifest, ["age", "source"])
    with pytest.raises(ManifestError, match="no column 'sex' to group by; there are age, source"):
        check_columns(manifest, ["age", "sex"])


def test_predictions_are_written_one_row_an_image(tmp_path: Path) -> None:
    write_predictions(SOME, tmp_path / "new" / "out.csv")
    with (tmp_path / "new" / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(SOME)
    assert rows[0] == {
        "path": "p0.png",
        "label": "pneumonia",
        "patient": "p0",
        "probability": "0.9",
        "flagged": "true",
        "outcome": "finding",
        "reason": "",
        "code": "",
        "age_group": "",
        "marks": "",
    }
    assert list(rows[-1].values()) == [
        "n-torn.png",
        "normal",
        "n-torn",
        "",
        "",
        "rejection",
        "truncated",
        "unreadable",
        "",
        "",
    ]


def test_the_document_is_strict_json_with_the_documented_keys(tiny_package: ModelPackage) -> None:
    some = [*SOME, rejected("p-odd", kind="fungus")]
    record = document(
        assess(
            some,
            by=["kind"],
            operating_points=tiny_package.operating_points,
            resamples=300,
            seed=6,
        ),
        package=tiny_package,
        operating_point=OperatingPoint("balanced", 0.5, "", 0.9, 0.9, 10),
        data="manifest.csv",
        split="test",
        curves=trace(judged_cases([one for one in some if one.judged]), resamples=50),
    )
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record["metrics"]) == set(METRICS)
    assert record["package"] == {"name": "tiny", "version": "1.2.0", "digest": tiny_package.digest}
    assert record["intervals"] == {"confidence": 0.95, "resamples": 300, "seed": 6}
    assert {name: cell["count"] for name, cell in record["confusion_matrix"].items()} == {
        "true_positive": 8,
        "false_negative": 1,
        "false_positive": 1,
        "true_negative": 6,
    }
    assert record["rejected"][0]["reason"] == "blank"
    assert [point["name"] for point in record["operating_points"]] == ["triage", "balanced"]
    assert record["hardest"]["normal"][0]["path"] == "n-false.png"
    assert record["hardest"]["pneumonia"][0]["path"] == "p-missed.png"
    assert record["cohort"]["rejected_by_code"] == {"unreadable": {"normal": 1, "pneumonia": 2}}
    told = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert record["shift"] is None
    for key in _keys({**record, "cohort": {**record["cohort"], "rejected_by_code": {}}}) - {""}:
        assert f"`{key}`" in told, key


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(_keys(one) for one in value.values()))
    return set().union(*(_keys(one) for one in value)) if isinstance(value, list) else set()


def test_an_unknown_operating_point_is_an_error(tiny_package: ModelPackage) -> None:
    from lungflag.detector import Detector

    assert tiny_package.folder is not None
    detector = Detector.load(tiny_package.folder, threads=1)
    with pytest.raises(PackageError, match="balanced"):
        list(predict(detector, Manifest((row("p1"),)), operating_point="loose"))

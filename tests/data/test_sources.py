from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from typer.testing import CliRunner

from lungflag.cli.data import app
from lungflag.data.manifest import Manifest
from lungflag.data.sources import SOURCES, open_data
from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from pathlib import Path


def touch(root: Path, *names: str) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


PUBLISHED = (
    "train/NORMAL/IM-0115-0001.jpeg",
    "train/NORMAL/NORMAL2-IM-0927-0001-0002.jpeg",
    "train/PNEUMONIA/person1_bacteria_1.jpeg",
    "train/PNEUMONIA/person1_bacteria_2.jpeg",
    "val/PNEUMONIA/person1946_bacteria_4874.jpeg",
    "test/NORMAL/IM-0001-0001.jpeg",
    "test/PNEUMONIA/person1_virus_6.jpeg",
)


@pytest.mark.parametrize("wrapper", ["", "chest_xray/"])
def test_published_class_folders(tmp_path: Path, wrapper: str) -> None:
    touch(tmp_path, *(wrapper + name for name in PUBLISHED))
    rows = {row.path.name: row for row in open_data(tmp_path)}
    assert len(rows) == len(PUBLISHED)
    assert {(row.patient, row.split, row.label, row.extra["subtype"]) for row in rows.values()} == {
        ("IM-0115", "train", "normal", "normal"),
        ("NORMAL2-IM-0927", "train", "normal", "normal"),
        ("person1", "train", "pneumonia", "bacteria"),
        ("person1946", "tune", "pneumonia", "bacteria"),
        ("IM-0001", "test", "normal", "normal"),
        ("test-person1", "test", "pneumonia", "virus"),
    }
    assert {row.source for row in rows.values()} == {"guangzhou"}


def test_flat_folders_of_any_case_and_depth(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "mine", "Normal/a.png", "normal/deep/b.dcm", "PNEUMONIA/c", "README.txt"
    )
    rows = open_data(root)
    assert [(row.patient, row.label, row.split, row.source) for row in rows] == [
        ("a", "normal", "", "mine"),
        ("c", "pneumonia", "", "mine"),
        ("b", "normal", "", "mine"),
    ]


def test_only_what_systems_leave_behind_is_skipped(tmp_path: Path) -> None:
    touch(tmp_path, "NORMAL/.DS_Store", "NORMAL/Thumbs.db", "PNEUMONIA/._person1_virus_6.jpeg")
    touch(tmp_path, "NORMAL/.cache/x.png", "__MACOSX/NORMAL/a.png", "NORMAL/notes.txt", ".DS_Store")
    assert [row.path.name for row in open_data(tmp_path)] == ["notes.txt"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("NORMAL/a.png", "COVID/b.png"), "COVID: unexpected beside NORMAL"),
        (("train/NORMAL/a.png", "NORMAL/b.png"), "train: unexpected beside NORMAL"),
        (("train/NORMAL/a.png", "extra/b.png"), "extra: unexpected beside train"),
        (("train/NORMAL/a.png", "train/other/b.png"), "other: unexpected beside NORMAL"),
        (("NORMAL/a.png", "b.png"), r"b\.png: lies outside the class folders"),
        (("train/NORMAL/a.png", "train/b.dcm"), r"b\.dcm: lies outside the class folders"),
        (("train/NORMAL/.DS_Store",), "its class folders are empty"),
        (
            ("images/a.png",),
            "no known data set. Looked for csv: a .csv file .*; medmnist: .*folders",
        ),
    ],
)
def test_what_has_no_label_is_named_not_dropped(
    tmp_path: Path, names: tuple[str, ...], reason: str
) -> None:
    touch(tmp_path, *names)
    with pytest.raises(ManifestError, match=reason):
        open_data(tmp_path)


def test_a_doubly_packed_copy_is_not_counted_twice(tmp_path: Path) -> None:
    touch(tmp_path, *PUBLISHED, *("chest_xray/" + name for name in PUBLISHED))
    with pytest.raises(
        ManifestError, match=r"chest_xray: unexpected beside test, train, val; .*open"
    ):
        open_data(tmp_path)
    assert len(open_data(tmp_path / "chest_xray")) == len(PUBLISHED)


def test_a_missing_path_and_an_unknown_source_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="gone: no such file or folder"):
        open_data(tmp_path / "gone")
    with pytest.raises(
        ManifestError, match="no source 'nih'; there are csv, medmnist, rsna, folders"
    ):
        open_data(tmp_path, "nih")
    for name in SOURCES:
        with pytest.raises(ManifestError):
            open_data(tmp_path, name)


def write_medmnist(file: Path, **changed: np.ndarray) -> Path:
    rng = np.random.default_rng(1)
    arrays = {}
    for split, n in (("train", 5), ("val", 2), ("test", 3)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, 28, 28), np.uint8)
        arrays[f"{split}_labels"] = rng.integers(0, 2, (n, 1), np.uint8)
    np.savez_compressed(file, allow_pickle=False, **(arrays | changed))
    return file


def test_medmnist_images_are_written_once_and_keep_their_pixels(tmp_path: Path) -> None:
    file = write_medmnist(tmp_path / "pneumoniamnist_64.npz")
    rows = open_data(file)
    assert Counter(row.split for row in rows) == {"train": 5, "tune": 2, "test": 3}
    assert len({row.patient_key for row in rows}) == len(rows)
    assert {row.source for row in rows} == {"pneumoniamnist"}
    with np.load(file) as arrays:
        for split, published in (("train", "train"), ("tune", "val"), ("test", "test")):
            part = rows.in_split(split)
            pixels = np.stack([np.asarray(Image.open(row.path)) for row in part])
            np.testing.assert_array_equal(pixels, arrays[f"{published}_images"])
            assert [row.positive for row in part] == list(
                arrays[f"{published}_labels"].ravel() == 1
            )
    written = rows.rows[0].path.stat().st_mtime_ns
    assert open_data(file) == rows
    assert rows.rows[0].path.stat().st_mtime_ns == written
    assert len(list(tmp_path.iterdir())) == 2


def test_a_changed_medmnist_file_is_extracted_anew(tmp_path: Path) -> None:
    file = write_medmnist(tmp_path / "pneumoniamnist.npz")
    first = open_data(file)
    write_medmnist(file, val_labels=np.array([1, 1], np.uint8))
    second = open_data(file)
    assert second.rows[0].path != first.rows[0].path
    assert all(row.positive for row in second.in_split("tune"))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"val_labels": np.array([[0], [2]])}, "val_labels are not one 0 or 1 an image"),
        ({"val_labels": np.zeros((2, 14), np.uint8)}, "val_labels are not one 0 or 1 an image"),
        ({"test_images": np.zeros((3, 28, 28, 3), np.uint8)}, "test_images are not 8-bit grey"),
    ],
)
def test_another_npz_file_is_refused(
    tmp_path: Path, changed: dict[str, np.ndarray], reason: str
) -> None:
    file = tmp_path / "other.npz"
    write_medmnist(file, **changed)
    with pytest.raises(ManifestError, match=reason):
        open_data(file)
    assert list(tmp_path.iterdir()) == [file]


def test_a_damaged_npz_file_is_refused(tmp_path: Path) -> None:
    file = write_medmnist(tmp_path / "cut.npz")
    whole = file.read_bytes()
    for broken in (b"", b"text", whole[:-200], whole[:200] + bytes(100) + whole[300:]):
        file.write_bytes(broken)
        with pytest.raises(ManifestError, match=r"cut\.npz: .*(damaged|no arrays)"):
            open_data(file)
    np.savez(file, train_images=np.array([{}]), train_labels=np.zeros(1))
    with pytest.raises(ManifestError, match=r"damaged, or not an \.npz file .*allow_pickle"):
        open_data(file)
    with file.open("wb") as single:
        np.save(single, np.zeros(1))
    with pytest.raises(ManifestError, match=r"damaged, or not an \.npz file"):
        open_data(file)
    np.savez(file, x=np.zeros(1))
    with pytest.raises(ManifestError, match="no arrays train_images and train_labels"):
        open_data(file)


def write_rsna(root: Path, boxes: list[tuple[str, str]], classes: list[tuple[str, str]]) -> Path:
    ages = {"aa": "051Y", "bb": "006M"}
    (root / "stage_2_train_images").mkdir(parents=True)
    with (root / "stage_2_train_labels.csv").open("w", newline="") as file:
        lines = [
            (patient, *("1.0" if t == "1" else "" for _ in range(4)), t) for patient, t in boxes
        ]
        csv.writer(file).writerows([("patientId", "x", "y", "width", "height", "Target"), *lines])
    with (root / "stage_2_detailed_class_info.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("patientId", "class"), *classes])
    for patient in {patient for patient, _ in boxes}:
        dataset = pydicom.Dataset()
        with pydicom.config.disable_value_validation():
            dataset.PatientAge = ages.get(patient, "51")
        dataset.PatientSex, dataset.ViewPosition = "F", "PA"
        dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
        dataset.SOPInstanceUID = generate_uid()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file_name = root / "stage_2_train_images" / f"{patient}.dcm"
        pydicom.dcmwrite(file_name, dataset, enforce_file_format=True)
    return root


BOXES = [("aa", "0"), ("bb", "1"), ("bb", "1"), ("cc", "0")]
CLASSES = [
    ("aa", "No Lung Opacity / Not Normal"),
    ("bb", "Lung Opacity"),
    ("bb", "Lung Opacity"),
    ("cc", "Normal"),
]


def test_rsna_makes_one_row_of_several_boxes(tmp_path: Path) -> None:
    rows = open_data(write_rsna(tmp_path, BOXES, CLASSES))
    assert [(row.patient, row.label, row.extra["subtype"]) for row in rows] == [
        ("aa", "normal", "No Lung Opacity / Not Normal"),
        ("bb", "pneumonia", "Lung Opacity"),
        ("cc", "normal", "Normal"),
    ]
    assert [row.extra["age"] for row in rows] == ["51", "006M", "51"]
    assert {(row.extra["sex"], row.extra["view"]) for row in rows} == {("F", "PA")}


def test_rsna_keeps_the_row_of_an_unreadable_image(tmp_path: Path) -> None:
    root = write_rsna(tmp_path, BOXES, CLASSES)
    (root / "stage_2_train_images" / "aa.dcm").write_bytes(b"no DICOM")
    assert len(open_data(root)) == 3


def test_rsna_tables_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ManifestError, match=r"line 5: Target of patient aa is '1' here and '0' above"
    ):
        open_data(write_rsna(tmp_path / "1", [*BOXES[:3], ("aa", "1")], CLASSES))
    with pytest.raises(ManifestError, match="Target of patient bb is '2', not 0 or 1"):
        open_data(write_rsna(tmp_path / "2", [("bb", "2")], CLASSES))
    root = write_rsna(tmp_path / "3", BOXES, CLASSES)
    (root / "stage_2_train_images" / "cc.dcm").rename(root / "stage_2_train_images" / "dd.dcm")
    with pytest.raises(ManifestError, match=r"1 patients have no image in .*, such as cc"):
        open_data(root)
    (root / "stage_2_train_images" / "cc.dcm").touch()
    with pytest.raises(ManifestError, match=r"1 patients have no label in .*, such as dd"):
        open_data(root)
    (root / "stage_2_train_labels.csv").write_text("id,Target\naa,0\n")
    with pytest.raises(ManifestError, match="no column patientId"):
        open_data(root)


def test_a_folder_with_a_manifest_is_its_manifest(tmp_path: Path) -> None:
    root = touch(tmp_path / "clinic", "NORMAL/a.png", "NORMAL/b.png")
    (root / "manifest.csv").write_text("path,label,patient\nNORMAL/a.png,0,p1\n")
    (row,) = open_data(root)
    assert (row.path, row.source) == (root / "NORMAL" / "a.png", "clinic")
    assert len(open_data(root, "folders")) == 2


def test_a_table_far_from_its_images_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("path,label,patient\nx/a.png,0,p1\n")
    with pytest.raises(ManifestError, match=r"none of its 1 images exists; looked for .*x/a\.png"):
        open_data(file)


def test_the_commands_write_and_count(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "data",
        *(f"NORMAL/IM-{n:04}-0001.jpeg" for n in range(20)),
        *(f"PNEUMONIA/person{n // 2}_virus_{n}.jpeg" for n in range(80)),
    )
    out = tmp_path / "out.csv"
    run = CliRunner().invoke(app, ["manifest", str(root), "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert "100 images of 60 patients" in run.output
    assert len(Manifest.read(out)) == 100
    again = tmp_path / "split.csv"
    run = CliRunner().invoke(
        app, ["split", str(out), "--out", str(again), "--tune", "0.2", "--folds", "4"]
    )
    assert run.exit_code == 0, run.output
    placed = Manifest.read(again)
    assert Counter((row.split, row.label) for row in placed) == {
        ("train", "normal"): 16,
        ("train", "pneumonia"): 64,
        ("tune", "normal"): 4,
        ("tune", "pneumonia"): 16,
    }
    assert Counter(row.extra["fold"] for row in placed) == dict.fromkeys("0123", 25)


def test_the_help_names_every_source() -> None:
    shown = CliRunner().invoke(app, ["manifest", "--help"], env={"COLUMNS": "200"}).output
    assert all(name in shown for name in SOURCES)


@pytest.mark.shared
def test_the_guangzhou_training_images(shared: Path) -> None:
    rows = open_data(shared / "data" / "kermany224")
    assert Counter(row.label for row in rows) == {"normal": 1341, "pneumonia": 3875}
    assert len({row.patient_key for row in rows}) == 2846
    assert Counter(row.extra["subtype"] for row in rows) == {
        "normal": 1341,
        "bacteria": 2530,
        "virus": 1345,
    }
    assert {(row.split, row.source) for row in rows} == {("train", "guangzhou")}


@pytest.mark.shared
def test_the_nih_table(shared: Path) -> None:
    rows = open_data(shared / "data" / "nih_adults")
    assert rows == open_data(shared / "data" / "nih_adults" / "manifest.csv")
    assert Counter(row.label for row in rows) == {"normal": 248, "pneumonia": 247}
    assert all(row.path.is_file() for row in rows)
    assert {row.source for row in rows} == {"nih_adults"}

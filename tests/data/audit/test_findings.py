from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from lungflag.data.audit import Audit, audit_manifest, write_report
from lungflag.data.audit.concerns import concerns, verdict
from lungflag.data.audit.document import document
from lungflag.data.manifest import Manifest, Row
from tests.data.audit.sets import SIDE, Folder, scene


def levels(audit: Audit) -> Counter[str]:
    return Counter(concern.level for concern in concerns(audit))


def titles(audit: Audit) -> str:
    return "\n".join(f"{concern.level}: {concern.title}" for concern in concerns(audit))


def test_a_sound_set_has_no_finding(folder: Folder) -> None:
    folder.crowd(8, "train")
    folder.crowd(8, "test", seed=2000)
    audit = folder.audit()
    assert (audit.exact, audit.near, audit.overlaps, audit.unreadable) == ((), (), (), ())
    assert not levels(audit)["leak"] + levels(audit)["error"]
    assert verdict(audit) == "No leak found between train and test."


def test_an_identical_file_across_splits_leaks(folder: Folder) -> None:
    folder.crowd(4, "train")
    folder.add("copy.png", folder.rows[0].path.read_bytes(), "normal", "x", "test")
    audit = folder.audit()
    (group,) = audit.exact
    assert [row.path.name for row in group.rows] == ["train1000.png", "copy.png"]
    assert group.crosses_splits
    assert group.crosses_patients
    assert audit.near == ()
    assert "leak: 1 picture in more than one split (2 identical files)" in titles(audit)
    assert verdict(audit).startswith("Leak")


@pytest.mark.parametrize(
    ("suffix", "options", "side"),
    [("jpeg", {"quality": 30}, SIDE), ("jpeg", {"quality": 75}, 100), ("png", {}, 256)],
)
def test_a_picture_stored_anew_across_splits_leaks(
    folder: Folder, suffix: str, options: dict[str, int], side: int
) -> None:
    folder.crowd(4, "train")
    again = scene(1000).resize((side, side - 2), Image.Resampling.BICUBIC)
    folder.add(f"again.{suffix}", again, "normal", "x", "test", **options)
    audit = folder.audit()
    (group,) = audit.near
    assert {row.path.name for row in group.rows} == {"train1000.png", f"again.{suffix}"}
    assert 0.99 <= group.correlation <= 1
    assert audit.exact == ()
    assert levels(audit)["leak"] == 1


def test_a_patient_on_both_sides_leaks_unless_the_sources_differ(folder: Folder) -> None:
    folder.add("a.png", scene(1), patient="p", split="train")
    folder.add("b.png", scene(2), patient="p", split="train")
    folder.add("c.png", scene(3), patient="p", split="test")
    audit = folder.audit()
    (overlap,) = audit.overlaps
    assert len(overlap.rows) == 3
    (leak,) = (concern for concern in concerns(audit) if concern.level == "leak")
    assert leak.items == ("p: 1 in test, 2 in train",)

    elsewhere = Row(folder.rows[2].path, "normal", "p", "test", "another hospital")
    assert audit_manifest(Manifest((*folder.rows[:2], elsewhere))).overlaps == ()


def test_copies_of_one_patient_in_one_split_are_only_noted(folder: Folder) -> None:
    for n in range(3):
        folder.add(f"{n}.png", scene(1), patient="p", split="train")
    audit = folder.audit()
    assert len(audit.exact) == 1
    assert "note: 1 picture of one patient in one split (3 identical files)" in titles(audit)
    assert not any(concern.needs_person for concern in concerns(audit))


def test_rows_without_a_split_do_not_leak(folder: Folder) -> None:
    folder.add("a.png", scene(1), patient="p")
    folder.add("b.png", scene(1), patient="p", split="train")
    assert levels(folder.audit())["leak"] == 0


def test_one_file_under_both_labels_is_an_error(folder: Folder) -> None:
    folder.add("a.png", scene(1), "normal", "p", "train")
    folder.add("b.png", scene(1), "pneumonia", "p", "train")
    folder.add("c.jpeg", scene(1), "pneumonia", "p", "train")
    audit = folder.audit()
    assert "error: 1 picture called both normal and pneumonia (2 identical files)" in titles(audit)
    assert "warning: 1 picture called both normal and pneumonia (3 nearly" in titles(audit)


def test_one_file_under_two_patients_is_a_warning(folder: Folder) -> None:
    folder.add("a.png", scene(1), patient="p")
    folder.add("b.png", scene(1), patient="q")
    audit = folder.audit()
    assert "warning: 1 picture under more than one patient" in titles(audit)
    assert not any(concern.needs_person for concern in concerns(audit))


def test_identical_copies_come_along_into_a_near_group(folder: Folder) -> None:
    folder.add("a.png", scene(1), patient="p")
    folder.add("b.png", scene(1), patient="p", split="train")
    folder.add("c.jpeg", scene(1), patient="p", split="test")
    audit = folder.audit()
    (group,) = audit.near
    assert len(group.rows) == 3
    assert group.crosses_splits


def test_blank_images_are_no_near_duplicates(folder: Folder) -> None:
    for grey in (0, 100, 255):
        folder.add(f"{grey}.png", Image.new("L", (SIDE, SIDE), grey))
    assert folder.audit().near == ()


def test_unreadable_files_are_listed_and_stop_nothing(folder: Folder) -> None:
    folder.crowd(4)
    whole = folder.rows[0].path.read_bytes()
    folder.add("empty.png", b"")
    folder.add("also-empty.png", b"")
    folder.add("text.png", b"no picture at all")
    folder.add("cut.png", whole[: len(whole) // 2])
    folder.rows.append(Row(folder.path / "missing.png", "normal", "m"))
    (folder.path / "folder.png").mkdir()
    folder.rows.append(Row(folder.path / "folder.png", "normal", "f"))
    audit = folder.audit()
    assert len(audit.measured) == 4
    assert [one.row for one in audit.unreadable] == folder.rows[4:]
    assert all(one.reason for one in audit.unreadable)
    assert audit.exact == ()  # two empty files are no picture
    (error,) = (concern for concern in concerns(audit) if concern.level == "error")
    assert error.needs_person
    assert len(error.items) == 6
    assert sum(one.images for one in audit.balance) == 10


def test_nothing_readable_is_still_an_audit(folder: Folder, tmp_path: Path) -> None:
    folder.add("a.png", b"", "normal")
    folder.add("b.png", b"", "pneumonia")
    audit = folder.audit()
    assert (audit.measured, audit.probes, audit.combined, audit.sizes) == ((), (), None, ())
    write_report(audit, tmp_path / "report", title="nothing")
    assert not (tmp_path / "report" / "samples.png").exists()


def test_balance_and_sizes(folder: Folder) -> None:
    folder.add("a.png", scene(1, 100), "normal", "p", "train")
    folder.add("b.png", scene(2, 200), "normal", "p", "train")
    wide = scene(3).resize((300, 120))
    file = folder.add("c.png", wide, "pneumonia", "q", "train")
    folder.rows[-1] = Row(file, "pneumonia", "q", "train", extra={"subtype": "virus"})
    audit = folder.audit()
    assert [(one.label, one.subtype, one.images, one.patients) for one in audit.balance] == [
        ("normal", "", 2, 1),
        ("pneumonia", "virus", 1, 1),
    ]
    normal, pneumonia = audit.sizes
    assert (normal.height, normal.distinct) == ((100, 150, 200), 2)
    assert (pneumonia.height, pneumonia.width) == ((120, 120, 120), (300, 300, 300))


def test_a_split_that_lacks_a_label_is_a_warning(folder: Folder) -> None:
    folder.crowd(4, "train")
    folder.add("a.png", scene(1), "pneumonia", split="test")
    (lack,) = (one for one in concerns(folder.audit()) if one.title.endswith("lacks a label"))
    assert lack.items == ("split test: only pneumonia",)


def test_the_number_of_threads_changes_nothing(folder: Folder) -> None:
    folder.crowd(12, "train")
    folder.add("empty.png", b"")
    assert document(folder.audit(jobs=1)) == document(folder.audit(jobs=4))

from __future__ import annotations

import string
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungflag.data.manifest import COLUMNS, LABELS, SPLITS, Manifest, Row
from lungflag.errors import ManifestError

words = st.text(string.ascii_letters + string.digits + " ,;\"'\n-é漢", min_size=1, max_size=12)
names = words.map(str.strip).filter(bool)
rows = st.builds(
    Row,
    path=names.map(lambda name: Path("images") / name),
    label=st.sampled_from(LABELS),
    patient=names,
    split=st.sampled_from(SPLITS),
    source=st.one_of(st.just(""), names),
    extra=st.fixed_dictionaries({"age": words, "view, position": st.text(string.printable[:95])}),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: row.path))
def test_what_is_written_is_read_back(made: list[Row]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "manifest.csv"
        manifest = Manifest(tuple(made))
        placed = Manifest(
            tuple(
                Row(Path(folder) / r.path, r.label, r.patient, r.split, r.source, r.extra)
                for r in manifest
            )
        )
        placed.write(file)
        assert Manifest.read(file) == placed


def test_the_file_moves_with_its_images(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    Manifest((Row(here / "images" / "1.png", "normal", "p1"),)).write(here / "manifest.csv")
    here.rename(there)
    assert Manifest.read(there / "manifest.csv").rows[0].path == there / "images" / "1.png"


def test_a_linked_image_keeps_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "ab12").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "person1.png").symlink_to(tmp_path / "store" / "ab12")
    file = tmp_path / "data" / "manifest.csv"
    Manifest((Row(tmp_path / "data" / "person1.png", "normal", "p1"),)).write(file)
    assert file.read_text().splitlines() == [",".join(COLUMNS), "person1.png,normal,p1,,"]


def test_an_image_elsewhere_is_written_with_its_whole_path(tmp_path: Path) -> None:
    image, file = tmp_path / "images" / "1.png", tmp_path / "tables" / "manifest.csv"
    Manifest((Row(image, "normal", "p1"),)).write(file)
    assert str(image) in file.read_text()
    assert Manifest.read(file).rows[0].path == image


def test_other_peoples_words_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(
        "\ufefffile,label,patient,split,age\r\n1.png,1,p1,val,3\r\n2.png,Normal,p2,TRAIN,\r\n".encode()
    )
    first, second = Manifest.read(file)
    assert (first.label, first.split, first.extra) == ("pneumonia", "tune", {"age": "3"})
    assert (second.label, second.split, second.path) == ("normal", "train", tmp_path / "2.png")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"line 1: no column path, label, patient; its columns are \(none\)"),
        ("path,label\n", "line 1: no column patient; its columns are path, label"),
        ("path,file,label,patient\n", "two columns named 'path'"),
        ("path,label,patient\n", "table.csv: the manifest has no rows"),
        ("path,label,patient\n1.png,normal,p1\n2.png,sick,p2\n", "line 3: .*2.png: label 'sick'"),
        ("path,label,patient\n1.png,normal\n", "line 2: wrong number of columns"),
        ("path,label,patient\n1.png,normal,p1,x\n", "line 2: wrong number of columns"),
        ("path,label,patient\n1.png,normal, \n", "line 2: .*no patient"),
        ("path,label,patient,split\n1.png,normal,p1,dev\n", "line 2: .*split 'dev' is not"),
        ('path,label,patient\n"1.png,normal,p1\n', "unexpected end of data"),
        ("path,label,patient\n1.png,normal,p1\n1.png,normal,p1\n", "table.csv: .*1.png: .*twice"),
    ],
)
def test_a_broken_table_is_named_with_the_line(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(text)
    with pytest.raises(ManifestError, match=reason) as caught:
        Manifest.read(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    with pytest.raises(ManifestError, match="cannot be read as a manifest"):
        Manifest.read(file)
    with pytest.raises(ManifestError, match="cannot be read as a manifest"):
        Manifest.read(tmp_path / "missing.csv")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    manifest = Manifest((Row(tmp_path / "1.png", "normal", "p1"),))
    with pytest.raises(ManifestError, match=r"file.manifest\.csv: cannot be written"):
        manifest.write(tmp_path / "file" / "manifest.csv")


def test_splits_are_chosen_by_name(tmp_path: Path) -> None:
    manifest = Manifest(
        (Row(tmp_path / "1", "normal", "p1", "train"), Row(tmp_path / "2", "pneumonia", "p2"))
    )
    assert len(manifest.in_split("train")) == 1
    assert [row.positive for row in manifest] == [False, True]
    with pytest.raises(
        ManifestError, match=r"no rows in split 'test'; the manifest has \(none\), train"
    ):
        manifest.in_split("test")
    assert [row.split for row in manifest.with_splits(["tune", "test"])] == ["tune", "test"]
    assert manifest.with_column("fold", "01").rows[1].extra == {"fold": "1"}

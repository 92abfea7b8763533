from __future__ import annotations

from typing import TYPE_CHECKING

import fsspec
import pytest

from lungflag.bulk.listing import list_inputs
from lungflag.errors import BulkError, LungflagError, ManifestError

if TYPE_CHECKING:
    from pathlib import Path


def listed(*words: object, without: Path) -> list[str]:
    return list(list_inputs(map(str, words), without=without))


def memory(*paths: str) -> str:
    """Put objects into fsspec's own memory; return their root."""
    storage = fsspec.filesystem("memory")
    for path in paths:
        storage.pipe(path, b"film")
    return "memory://"


def test_folders_files_and_what_is_not_there(tmp_path: Path) -> None:
    table = tmp_path / "in" / "out.parquet"
    for name in ("b/2.dcm", "a/1.dcm", "a/.hidden", "c.dcm", "DICOMDIR", "out.parquet/part-0"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    inside = [str(tmp_path / "in" / name) for name in ("c.dcm", "a/1.dcm", "b/2.dcm")]
    nowhere = str(tmp_path / "nowhere.dcm")
    assert listed(tmp_path / "in", nowhere, without=table) == [*inside, nowhere]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LungflagError, match="holds no file"):
        listed(tmp_path, without=tmp_path / "out")


def test_a_manifest_counts_from_its_own_folder(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    text = "\ufeffage,file\n4,a/1.dcm\n5,/whole.dcm\n6,s3://bucket/1.dcm\n"
    manifest.write_text(text, encoding="utf-8")
    whole = [str(tmp_path / "a" / "1.dcm"), "/whole.dcm", "s3://bucket/1.dcm"]
    assert listed(manifest, without=tmp_path / "out") == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\nx.dcm\n", "has no column path"),
        ("path,file\na,b\n", "has no column path, or two"),
        ("path,age\na.dcm,4\nb.dcm\n", "line 3: wrong number of columns"),
        ("path,age\n,4\n", "line 2: no path"),
        ("path\n", "has no rows"),
        ("", "has no column path"),
    ],
)
def test_a_manifest_that_breaks_a_rule_names_the_line(
    tmp_path: Path, text: str, message: str
) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match=message):
        listed(manifest, without=tmp_path / "out")


def test_a_manifest_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"nowhere\.csv"):
        listed(tmp_path / "nowhere.csv", without=tmp_path / "out")


def test_urls_stand_for_what_is_below_them_in_order_of_name(tmp_path: Path) -> None:
    root = memory("/t/b/2.dcm", "/t/a/1.dcm", "/t/a/.hidden", "/t/c.dcm", "/t/b/DICOMDIR")
    out = tmp_path / "out"
    below = [f"memory:///t/{name}" for name in ("c.dcm", "a/1.dcm", "b/2.dcm")]
    assert listed(f"{root}t", without=out) == below
    assert listed(f"{root}t/", without=out) == below
    assert listed(f"{root}t/*/*.dcm", without=out) == below[1:]
    assert listed(f"{root}t/nothing.dcm", without=out) == [f"{root}t/nothing.dcm"]
    with pytest.raises(LungflagError, match="nothing is called so"):
        listed(f"{root}t/*.png", without=out)


def test_a_manifest_may_lie_behind_a_url(tmp_path: Path) -> None:
    root = memory("/m/1.dcm")
    fsspec.filesystem("memory").pipe("/m/list.csv", b"path\n1.dcm\nfile:///2.dcm\n")
    found = listed(f"{root}m/list.csv", without=tmp_path / "out")
    assert found == [f"{root}m/1.dcm", "file:///2.dcm"]


def test_an_unknown_kind_of_url_is_named(tmp_path: Path) -> None:
    with pytest.raises(BulkError, match="smoke://films: cannot be opened"):
        listed("smoke://films", without=tmp_path / "out")

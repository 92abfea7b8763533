from __future__ import annotations

import stat
import zipfile
from typing import TYPE_CHECKING

import pytest

from lungflag.data.unzip import unzip
from lungflag.errors import FetchError

if TYPE_CHECKING:
    from pathlib import Path

MEMBERS = {"a/one": b"one" * 1000, "a/b/two": b"two" * 1000, "__MACOSX/a/._one": b"x"}


def pack(file: Path, members: dict[str, bytes], link: str = "") -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            if name == link:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content)
    return file


def ignore(*_: object) -> None:
    pass


def test_every_member_but_the_shadows_of_macos(tmp_path: Path) -> None:
    seen = []
    unzip(pack(tmp_path / "data.zip", MEMBERS), tmp_path / "data", lambda *step: seen.append(step))
    assert {file.name for file in (tmp_path / "data").rglob("*") if file.is_file()} == {
        "one",
        "two",
    }
    assert (tmp_path / "data" / "a" / "one").read_bytes() == MEMBERS["a/one"]
    assert seen == [("unpack", 3000, 6000), ("unpack", 6000, 6000)]


def test_it_goes_on_and_mends_what_is_unfinished(tmp_path: Path) -> None:
    whole, cut = tmp_path / "data.part" / "a" / "one", tmp_path / "data.part" / "a" / "b" / "two"
    cut.parent.mkdir(parents=True)
    whole.write_bytes(MEMBERS["a/one"])
    cut.write_bytes(bytes(3000))  # the right size, and the wrong content
    kept = whole.stat().st_mtime_ns
    unzip(pack(tmp_path / "data.zip", MEMBERS), tmp_path / "data", ignore)
    assert (tmp_path / "data" / "a" / "b" / "two").read_bytes() == MEMBERS["a/b/two"]
    assert (tmp_path / "data" / "a" / "one").stat().st_mtime_ns == kept
    assert not (tmp_path / "data.part").exists()


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "..\\out", "C:/out", "link"])
def test_nothing_leaves_the_folder(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "data.zip", {"first": b"1", name: b"/etc/passwd"}, link="link")
    with pytest.raises(FetchError, match="would leave the folder"):
        unzip(archive, tmp_path / "in" / "data", ignore)
    assert list(tmp_path.rglob("*")) == []


def test_a_damaged_archive_is_removed(tmp_path: Path) -> None:
    archive = pack(tmp_path / "data.zip", MEMBERS)
    whole = archive.read_bytes()
    for broken, reason in (
        (whole.replace(b"twotwo", b"twoTWO", 1), "Bad CRC-32 for file 'a/b/two'"),
        (whole[:-30], "File is not a zip file"),
        (b"<html>please log in</html>", "File is not a zip file"),
    ):
        archive.write_bytes(broken)
        with pytest.raises(FetchError, match=rf"data\.zip: damaged, and removed \({reason}"):
            unzip(archive, tmp_path / "data", ignore)
        assert not archive.exists()
        assert not (tmp_path / "data").exists()


def test_a_full_disk_keeps_the_archive(tmp_path: Path) -> None:
    archive = pack(tmp_path / "data.zip", MEMBERS)
    file = tmp_path / "data.part" / "a" / "one"
    file.parent.mkdir(parents=True)
    file.symlink_to("/dev/full")
    with pytest.raises(FetchError, match=r"data: cannot be unpacked \(No space left"):
        unzip(archive, tmp_path / "data", ignore)
    assert archive.exists()

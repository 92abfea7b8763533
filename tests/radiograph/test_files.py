from __future__ import annotations

import os
from pathlib import Path

import pytest

from lungflag.errors import UnreadableError
from lungflag.radiograph import read_radiograph
from lungflag.radiograph.files import LARGEST_FILE, load


def reason(path: Path) -> str:
    with pytest.raises(UnreadableError) as refused:
        read_radiograph(path)
    assert refused.value.source == str(path)
    assert str(refused.value) == f"{path}: {refused.value.reason}"
    return refused.value.reason


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert load("a", tmp_path / "a") == b"abc"


def test_missing(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.png") == "no such file"


def test_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert reason(tmp_path / "a" / "b.png") == "cannot be read: Not a directory"


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").touch()
    assert reason(tmp_path / "a.dcm") == "is empty (0 bytes)"


def test_directory(tmp_path: Path) -> None:
    assert reason(tmp_path) == "is a directory, not a file"


def test_named_pipe_without_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "pipe") == "is a special file, not a regular one"


def test_device() -> None:
    assert reason(Path("/dev/zero")) == "is a special file, not a regular one"


def test_dangling_link_and_loop(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    assert reason(tmp_path / "a") == "no such file"
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert reason(tmp_path / "a").startswith("cannot be read: ")


def test_absurdly_large(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    assert reason(tmp_path / "a.png") == "is absurdly large: 1,073,741,825 bytes"


def test_null_byte_in_the_path() -> None:
    with pytest.raises(UnreadableError, match=r"is no valid path"):
        read_radiograph("a\0b")


def test_name_too_long(tmp_path: Path) -> None:
    assert reason(tmp_path / ("a" * 5000)) == "cannot be read: File name too long"


def test_permission(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"abc")
    (tmp_path / "a.png").chmod(0)
    user = os.geteuid()
    if user == 0:  # who may read everything
        os.seteuid(65534)
    try:
        assert reason(tmp_path / "a.png") == "permission denied"
    finally:
        os.seteuid(user)

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lungflag.cli._inputs import find_inputs
from lungflag.errors import LungflagError


def film(path: Path) -> Path:
    """Make a file: what is in it plays no part here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_data_set_s_own_manifest_and_masks_are_left_out(tmp_path: Path) -> None:
    images = [film(tmp_path / "set" / "images" / f"{n}.png") for n in range(2)]
    film(tmp_path / "set" / "masks" / "0.png")
    assert len(find_inputs([tmp_path / "set"])) == 3  # a folder may just be called so
    (tmp_path / "set" / "manifest.csv").touch()
    assert find_inputs([tmp_path / "set"]) == images
    # What is named on the command line is judged whatever it is called.
    named = [tmp_path / "set" / "manifest.csv", tmp_path / ".hidden"]
    assert find_inputs(named) == named


def test_links_are_followed_to_files_and_dead_ones_are_kept(tmp_path: Path) -> None:
    film(tmp_path / "real" / "a.png")
    links = tmp_path / "links"
    links.mkdir()
    (links / "a.png").symlink_to(tmp_path / "real" / "a.png")
    (links / "dead.png").symlink_to(tmp_path / "nowhere")
    (links / "loop").symlink_to(links)
    os.mkfifo(links / "pipe")
    assert find_inputs([links]) == [links / "a.png", links / "dead.png"]


def test_a_folder_that_cannot_be_listed_stands_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(tmp_path / "in" / "a.png")
    film(tmp_path / "in" / "closed" / "b.png")
    scandir = os.scandir

    def deny(path: str) -> object:  # root may list every folder, so modes would not do
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    inside = tmp_path / "in"
    assert find_inputs([inside]) == [inside / "a.png", inside / "closed"]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LungflagError, match="holds no file"):
        find_inputs([tmp_path])

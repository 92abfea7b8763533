from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from lungflag.cli.data_phantom import phantom
from lungflag.data.manifest import Manifest
from lungflag.errors import ManifestError
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

app = typer.Typer()
app.command()(phantom)


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [str(folder), "--size", "64", *arguments])


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("kind", ["png", "dicom"])
def test_makes_a_data_set(tmp_path: Path, kind: str) -> None:
    ran = run(tmp_path / "new" / "set", "--n", "4", "--format", kind, "--masks")
    assert ran.exit_code == 0, ran.output
    assert "2 with pneumonia" in ran.output
    assert "lungflag detect" in ran.output
    folder = tmp_path / "new" / "set"
    manifest = Manifest.read(folder / "manifest.csv")
    assert [row.patient for row in manifest] == [f"PHANTOM-00000{k}" for k in (1, 2, 3, 4)]
    assert {row.source for row in manifest} == {"phantom"}
    assert sum(row.positive for row in manifest) == 2
    for row in manifest:
        assert read_radiograph(row.path).pixels.shape == (64, 64)
        mask = np.asarray(Image.open(folder / row.extra["mask"]))
        assert bool(mask.any()) == row.positive
        lungs = np.asarray(Image.open(folder / row.extra["lungs"]))
        assert lungs.shape == (64, 64)
        assert set(np.unique(lungs)) == {0, 255}
        assert row.extra["view"] in ("PA", "AP")


def test_the_same_command_again_gives_the_same_files(tmp_path: Path) -> None:
    run(tmp_path, "--n", "3")
    first = contents(tmp_path)
    assert run(tmp_path, "--n", "3").exit_code == 0
    assert contents(tmp_path) == first


def test_a_smaller_set_leaves_nothing_of_the_larger_and_keeps_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    run(tmp_path, "--n", "3", "--masks")
    assert (tmp_path / "masks" / "lungs" / "phantom-000003.png").exists()
    run(tmp_path, "--n", "1", "--format", "dicom", "--prevalence", "1")
    assert set(contents(tmp_path)) == {"notes.txt", "manifest.csv", "phantom-000001.dcm"}


def test_another_data_set_is_not_overwritten(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,label,patient,source\nphantom-000001.png,normal,p1,hospital\n")
    (tmp_path / "phantom-000001.png").write_bytes(b"theirs")
    before = contents(tmp_path)
    ran = run(tmp_path, "--n", "1")
    assert isinstance(ran.exception, ManifestError)
    assert "another data set" in str(ran.exception)
    assert contents(tmp_path) == before


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run(tmp_path / "file")
    assert isinstance(ran.exception, ManifestError)
    assert "file: cannot be made a folder" in str(ran.exception)


def test_an_interruption_leaves_a_valid_smaller_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lungflag.phantom as room

    made = room.make_phantom

    def interrupted(seed: int, *, pneumonia: bool, size: int) -> room.Phantom:
        if seed == 3:
            raise KeyboardInterrupt
        return made(seed, pneumonia=pneumonia, size=size)

    monkeypatch.setattr(room, "make_phantom", interrupted)
    assert run(tmp_path, "--n", "4").exit_code != 0
    assert len(Manifest.read(tmp_path / "manifest.csv")) == 2
    assert set(contents(tmp_path)) == {"manifest.csv", "phantom-000001.png", "phantom-000002.png"}

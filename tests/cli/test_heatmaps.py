from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from lungflag.package import ModelPackage, find_package
from tests.cli.commands import Command
from tests.evaluation.heatmaps.films import SIDE, film, manifest, tile, weighted_graph

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packages import PackageMaker

LEFT = np.tile(np.arange(SIDE) < SIDE // 2, (SIDE, 1))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(("heatmaps",), monkeypatch, capsys)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three flagged positives, two of whose peaks are within their lesions, and a normal film."""
    rows = [
        film(tmp_path / "films", "a", (1, 0), lesion=tile(1, 0), lungs=LEFT),
        film(tmp_path / "films", "b", (2, 3), lesion=tile(2, 3), lungs=LEFT),
        film(tmp_path / "films", "c", (0, 2), lesion=tile(3, 0), lungs=LEFT),
        film(tmp_path / "films", "d", (2, 2), level=90, lungs=LEFT),
    ]
    path = tmp_path / "films" / "manifest.csv"
    manifest(*rows).write(path)
    return path


@pytest.fixture
def package(tiny_package: ModelPackage) -> Path:
    assert tiny_package.folder is not None
    return tiny_package.folder


def test_measures_prints_writes_and_draws(
    command: Command, package: Path, data: Path, tmp_path: Path
) -> None:
    out, figure = tmp_path / "new" / "maps.json", tmp_path / "maps.png"
    ran = command(package, data, "--sanity", 0, "--json", out, "--figure", figure)
    assert ran.code == 0, ran.err
    assert "4 judged, 3 flagged" in ran.out
    assert "Pointing game" in ran.out
    record = json.loads(out.read_text("utf-8"))
    hit = record["pointing_game"]["flagged_positives"]["hit"]
    assert hit["value"] == pytest.approx(2 / 3)
    assert hit["n"] == 3
    assert record["randomisation"] is None
    assert record["data"]["split"] == "all"
    with Image.open(figure) as drawn:
        assert drawn.size[0] > 1000
    # The folder stands for its manifest.
    assert (
        command(package, data.parent, "--sanity", 0).out.splitlines()[3:]
        == (ran.out.splitlines()[3:])
    )


def test_lung_masks_may_lie_in_a_folder(command: Command, package: Path, data: Path) -> None:
    folder = data.parent.parent / "lungs"
    folder.mkdir()
    for name in "abcd":
        Image.fromarray(np.ones((SIDE, SIDE), dtype=bool)).save(folder / f"{name}.png")
    out = data.parent / "maps.json"
    assert command(package, data, "--sanity", 0, "--lungs", folder, "--json", out).code == 0
    area = json.loads(out.read_text("utf-8"))["lung_fields"]["all_judged"]["area"]
    assert area["value"] == 1
    (folder / "b.png").unlink()
    ran = command(package, data, "--sanity", 0, "--lungs", folder)
    assert ran.code == 2
    assert "b.png: cannot be read as a mask (No such file or directory)" in ran.err


def test_a_rejected_film_is_listed(command: Command, package: Path, data: Path) -> None:
    (data.parent / "b.png").write_bytes(b"no image")
    ran = command(package, data, "--sanity", 0)
    assert ran.code == 1
    assert "rejected         1" in ran.out
    assert "b.png: " in ran.out


def test_maps_that_outlive_their_weights_need_a_person(
    command: Command, make_package: PackageMaker, data: Path, tmp_path: Path
) -> None:
    blind = make_package(tmp_path / "blind", graph=weighted_graph(blind=True))
    ran = command(blind.folder, data, "--sanity", 2)
    assert ran.code == 1
    assert "WARNING: the maps of a wholly random network resemble those" in ran.out


def test_a_network_whose_weights_cannot_be_told_is_refused(
    command: Command, package: Path, data: Path
) -> None:
    ran = command(package, data)
    assert ran.code == 2
    assert "no layer with weights" in ran.err


def test_what_cannot_be_written_stops_before_the_work(
    command: Command, package: Path, data: Path
) -> None:
    ran = command(package, data, "--json", data / "maps.json")
    assert ran.code == 2
    assert "maps.json: cannot be written" in ran.err or "manifest.csv" in ran.err


@pytest.mark.slow
def test_the_phantom_packages_maps_point_at_the_disease(command: Command, tmp_path: Path) -> None:
    """Seeds far from those it was trained on (1001 to 2200)."""
    words = ("data", "phantom", tmp_path / "films", "--n", 60, "--seed", 70_001, "--size", 256)
    made = Command((), command.patch, command.capture)(*words, "--masks")
    assert made.code == 0, made.err
    out = tmp_path / "maps.json"
    point = ("--operating-point", "balanced")
    ran = command("phantom", tmp_path / "films", *point, "--sanity", 4, "--json", out)
    assert ran.code == 0, ran.err
    record = json.loads(out.read_text("utf-8"))
    hit = record["pointing_game"]["flagged_positives"]["hit"]
    assert hit["n"] >= 20
    assert hit["value"] >= 0.85
    assert record["lung_fields"]["flagged"]["excess"]["low"] > 0.4
    assert record["randomisation"]["passed"]
    assert ModelPackage.read(find_package("phantom")).digest == record["package"]["digest"]

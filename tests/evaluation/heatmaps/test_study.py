from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from lungflag.detector import Detector
from lungflag.errors import ManifestError
from lungflag.evaluation import wilson
from lungflag.evaluation.heatmaps import (
    HeatmapStudy,
    Masks,
    Reading,
    document,
    draw,
    study,
    take_readings,
    weight_sanity,
)
from lungflag.outcome import Rejection
from tests.evaluation.heatmaps.films import SIDE, film, manifest, tile, weighted_graph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lungflag.data.manifest import Row
    from lungflag.package import ModelPackage
    from tests.packages import PackageMaker

LEFT = np.tile(np.arange(SIDE) < SIDE // 2, (SIDE, 1))


@pytest.fixture
def detector(tiny_package: ModelPackage) -> Detector:
    assert tiny_package.folder is not None
    return Detector.load(tiny_package.folder, threads=1)


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Flagged: two hits, one near miss, one far miss. Not flagged: one miss. And a normal one."""
    beside = np.roll(tile(2, 1), 9, axis=1)  # a pixel beyond the middle of the bright tile
    return [
        film(tmp_path, "a", (1, 0), lesion=tile(1, 0), lungs=LEFT),
        film(tmp_path, "b", (2, 3), lesion=tile(2, 3) | tile(0, 0), lungs=LEFT),
        film(tmp_path, "c", (2, 1), lesion=beside, lungs=LEFT),
        film(tmp_path, "d", (0, 2), lesion=tile(3, 0), lungs=LEFT),
        film(tmp_path, "e", (0, 2), level=90, lesion=tile(3, 0), lungs=LEFT),
        film(tmp_path, "f", (2, 2), level=90, lungs=LEFT),
    ]


def read(detector: Detector, rows: list[Row], masks: Masks, jobs: int = 1) -> list[Reading]:
    found = take_readings(detector, manifest(*rows), masks, jobs=jobs)
    return [one for one in found if isinstance(one, Reading)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_pointing_game(detector: Detector, rows: list[Row], tmp_path: Path, jobs: int) -> None:
    readings = read(detector, rows, Masks(tmp_path), jobs)
    assert [one.row.patient for one in readings] == list("abcdef")
    assert [one.flagged for one in readings] == [True, True, True, True, False, False]
    assert [one.hit for one in readings] == [True, True, False, False, False, None]
    assert [one.near for one in readings] == [True, True, True, False, False, None]
    found = study(readings)
    hit = found.pointing["flagged positives"]["hit"]
    assert (hit.value, hit.n, hit.patients, hit.method) == (0.5, 4, 4, "wilson")
    assert (hit.low, hit.high) == wilson(2, 4)
    everyone = found.pointing["all positives"]
    assert (everyone["hit"].value, everyone["near"].value) == (0.4, 0.6)


def test_the_lung_fields(detector: Detector, rows: list[Row], tmp_path: Path) -> None:
    readings = read(detector, rows, Masks(tmp_path))
    found = study(readings).lungs["flagged"]
    assert found["area"].value == pytest.approx(0.5)
    assert found["peak"].value == 0.5
    assert found["inside"].value is not None
    assert found["excess"].value == pytest.approx(found["inside"].value - 0.5)
    # The bright tile of the first lies on the left, that of the second on the right.
    first, second = (one.lungs for one in readings[:2])
    assert first is not None
    assert second is not None
    assert first.inside > 0.5 > second.inside


def test_lung_fields_come_from_a_folder_or_a_function_too(
    detector: Detector, rows: list[Row], tmp_path: Path
) -> None:
    folder = tmp_path / "drawn"
    folder.mkdir()
    for row in rows:
        Image.fromarray(~LEFT).save(folder / f"{row.path.stem}.png")

    def right(pixels: NDArray[np.float32]) -> NDArray[np.bool_]:
        assert pixels.shape == (SIDE, SIDE)
        return ~LEFT

    by_folder = read(detector, rows, Masks(tmp_path, folder))
    by_function = read(detector, rows, Masks(tmp_path, right))
    assert [one.lungs for one in by_folder] == [one.lungs for one in by_function]
    assert [one.lungs for one in by_folder] != [
        one.lungs for one in read(detector, rows, Masks(tmp_path))
    ]
    (folder / "c.png").unlink()
    with pytest.raises(ManifestError, match=r"c\.png: cannot be read as a mask"):
        read(detector, rows, Masks(tmp_path, folder))


def test_a_map_that_moves_with_the_film_is_consistent(
    detector: Detector, rows: list[Row], tmp_path: Path
) -> None:
    found = study(read(detector, rows, Masks(tmp_path))).flip["all judged"]
    assert found["correlation"].value == pytest.approx(1)
    assert found["distance"].value == 0
    assert (found["still"].value, found["still"].n) == (1, 6)


def test_a_map_that_knows_left_from_right_is_not(
    make_package: PackageMaker, tmp_path: Path
) -> None:
    package = make_package(tmp_path / "package", graph=weighted_graph())
    assert package.folder is not None
    rows = [film(tmp_path, name, (1, i)) for i, name in enumerate("abc")]
    detector = Detector.load(package.folder, threads=1)
    correlation = study(read(detector, rows, Masks(tmp_path))).flip["all judged"]["correlation"]
    assert correlation.value is not None
    assert correlation.value < 0.99


def test_films_of_one_patient_are_not_independent(detector: Detector, tmp_path: Path) -> None:
    from dataclasses import replace

    rows = [
        replace(
            film(tmp_path, f"{n}", (1, n % 4), lesion=tile(1, n % 3), lungs=LEFT),
            patient=f"p{n // 4}",
        )
        for n in range(16)
    ]
    hit = study(read(detector, rows, Masks(tmp_path))).pointing["all positives"]["hit"]
    assert (hit.n, hit.patients) == (16, 4)
    assert hit.method != "wilson"


def test_rejected_films_are_kept_apart(detector: Detector, rows: list[Row], tmp_path: Path) -> None:
    rows[1].path.write_bytes(b"no image")
    found = list(take_readings(detector, manifest(*rows), Masks(tmp_path)))
    assert [isinstance(one, Rejection) for one in found] == [False, True, *[False] * 4]


def whole_study(
    detector: Detector, rows: list[Row], folder: Path, make_package: PackageMaker
) -> HeatmapStudy:
    package = make_package(folder / "weighted", graph=weighted_graph())
    assert package.folder is not None
    weighted = Detector.load(package.folder, threads=1)
    squares = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    return study(
        read(detector, rows, Masks(folder)),
        randomisation=weight_sanity(weighted, rows[:3], squares, draws=1),
    )


def test_the_document_is_strict_json(
    detector: Detector, rows: list[Row], tmp_path: Path, make_package: PackageMaker
) -> None:
    found = whole_study(detector, rows, tmp_path, make_package)
    record = document(
        found, package=detector.package, operating_point="balanced", data="films", split="all"
    )
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again["data"]["judged"] == 6
    assert again["data"]["flagged"] == 4
    assert again["pointing_game"]["flagged_positives"]["hit"]["value"] == 0.5
    assert again["lung_fields"]["all_judged"]["area"]["n"] == 6
    assert len(again["randomisation"]["depths"]) == again["randomisation"]["layers"] == 3
    bare = study([])
    record = document(
        bare, package=detector.package, operating_point="balanced", data="films", split="all"
    )
    nothing = json.loads(json.dumps(record, allow_nan=False))["pointing_game"]["all_positives"]
    assert nothing["hit"]["value"] is None
    assert nothing["hit"]["note"] == "no positive film with a lesion drawn"


def test_the_figure_shows_what_was_measured(
    detector: Detector, rows: list[Row], tmp_path: Path, make_package: PackageMaker
) -> None:
    found = whole_study(detector, rows, tmp_path, make_package)
    pictures = [
        np.asarray(Image.open(BytesIO(draw(one, title="tiny"))).convert("L"))
        for one in (found, study([]))
    ]
    assert pictures[0].shape == pictures[1].shape
    inks = [(picture < 250).mean() for picture in pictures]
    assert inks[0] > 1.5 * inks[1] > 0

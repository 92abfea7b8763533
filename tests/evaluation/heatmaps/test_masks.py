from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from lungflag.data.manifest import Row
from lungflag.errors import ManifestError
from lungflag.evaluation.heatmaps import Masks, read_mask
from lungflag.radiograph import Radiograph

if TYPE_CHECKING:
    from pathlib import Path

MASK = np.zeros((30, 20), dtype=np.uint8)
MASK[5:9, 3:6] = 1


def row(path: Path, label: str = "pneumonia", **extra: str) -> Row:
    return Row(path, label, "p1", "", "here", extra)


def radiograph(rows: int = 60, columns: int = 40) -> Radiograph:
    return Radiograph(np.zeros((rows, columns), np.float32), "film.png")


@pytest.mark.parametrize(
    "stored", [MASK, MASK * 255, MASK.astype(bool), MASK.astype(np.uint16) * 65535]
)
def test_whatever_is_not_black_belongs_to_a_mask(tmp_path: Path, stored: np.ndarray) -> None:
    Image.fromarray(stored).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), MASK > 0)


def test_coloured_and_indexed_masks_are_read(tmp_path: Path) -> None:
    red = Image.fromarray(np.stack([MASK * 255, MASK * 0, MASK * 0], axis=-1))
    red.save(tmp_path / "red.png")
    red.convert("P").save(tmp_path / "indexed.png")
    for name in ("red.png", "indexed.png"):
        np.testing.assert_array_equal(read_mask(tmp_path / name), MASK > 0)


@pytest.mark.parametrize("content", [None, b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_mask_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mask.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ManifestError, match=r"mask\.png: cannot be read as a mask \(.+\)"):
        read_mask(path)


def test_a_mask_is_found_by_the_manifests_column(tmp_path: Path) -> None:
    Image.fromarray(MASK * 255).save(tmp_path / "m.png")
    masks = Masks(tmp_path)
    film, path = radiograph(), tmp_path / "images" / "film.png"
    lesions = masks.lesions_of(row(path, mask="m.png"), film)
    lungs = masks.lungs_of(row(path, lungs="m.png"), film)
    assert lesions is not None
    assert lungs is not None
    np.testing.assert_array_equal(lesions, lungs)
    assert masks.lesions_of(row(path), film) is None
    assert masks.lungs_of(row(path, lungs=""), film) is None
    assert masks.lesions_of(row(path, "normal", mask="m.png"), film) is None


def test_an_empty_mask_is_none(tmp_path: Path) -> None:
    Image.fromarray(MASK * 0).save(tmp_path / "film.png")
    film, one = radiograph(), row(tmp_path / "film.png", mask="film.png")
    assert Masks(tmp_path).lesions_of(one, film) is None
    assert Masks(tmp_path, tmp_path).lungs_of(one, film) is None
    assert Masks(tmp_path, lambda pixels: pixels > 2).lungs_of(one, film) is None


def test_a_mask_of_another_film_is_refused(tmp_path: Path) -> None:
    Image.fromarray(MASK * 255).save(tmp_path / "m.png")
    one = row(tmp_path / "film.png", mask="m.png")
    with pytest.raises(ManifestError, match="30 x 20 pixels, the film 50 x 50"):
        Masks(tmp_path).lesions_of(one, radiograph(50, 50))

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lungflag.data.manifest import Manifest, Row
from lungflag.preprocess import Preprocess
from lungflag.radiograph import read_radiograph
from lungflag.training.cache import cache_images


def _manifest(folder: Path, n: int = 3) -> Manifest:
    rng = np.random.default_rng(1)
    for i in range(n):
        Image.fromarray(rng.integers(0, 255, (120, 90), dtype=np.uint8)).save(folder / f"{i}.png")
    return Manifest(tuple(Row(folder / f"{i}.png", "normal", f"p{i}") for i in range(n)))


def test_the_cache_holds_what_serving_would_compute(tmp_path: Path) -> None:
    preprocess = Preprocess(size=64)
    data = cache_images(_manifest(tmp_path), preprocess, tmp_path / "cache")
    for image in data.images:
        served = preprocess(
            read_radiograph(image.row.path, minimum_side=preprocess.working_side).pixels
        )
        np.testing.assert_array_equal(np.load(image.file), served)


def test_images_are_decoded_once_and_keyed_by_content(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path)
    first = cache_images(manifest, Preprocess(size=64), tmp_path / "cache")
    stamps = [image.file.stat().st_mtime_ns for image in first.images]
    moved = tmp_path / "elsewhere.png"
    manifest.rows[0].path.rename(moved)
    rows = (Row(moved, "normal", "p0"), *manifest.rows[1:])
    again = cache_images(Manifest(rows), Preprocess(size=64), tmp_path / "cache")
    assert [image.file for image in again.images] == [image.file for image in first.images]
    assert [image.file.stat().st_mtime_ns for image in again.images] == stamps
    other = cache_images(Manifest(rows), Preprocess(size=32), tmp_path / "cache")
    assert other.images[0].file != again.images[0].file


def test_what_cannot_be_read_is_told_and_loses_nothing_else(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path)
    manifest.rows[1].path.write_text("not an image")
    manifest.rows[2].path.unlink()
    steps: list[int] = []
    data = cache_images(
        manifest, Preprocess(size=64), tmp_path / "cache", advance=lambda: steps.append(1)
    )
    assert [image.row for image in data.images] == [manifest.rows[0]]
    assert [error.source for error in data.rejected] == [str(r.path) for r in manifest.rows[1:]]
    assert len(steps) == 3

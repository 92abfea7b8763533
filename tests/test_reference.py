"""The reference of drift: a file of a package that is whole, small, and harmless to read."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.card import rewrite
from lungflag.errors import PackageError, PackageFormatError, PackageTamperedError
from lungflag.package import REFERENCE, ModelPackage, find_package, shipped_packages
from lungflag.reference import LENGTH, Reference, grey_statistics, shorten

if TYPE_CHECKING:
    from pathlib import Path


def some(n: int = 120, dimension: int = 16) -> Reference:
    rng = np.random.default_rng(0)
    logit, mean, std = rng.normal(size=(3, n)).astype(np.float32)
    embedding = rng.normal(size=(n, min(dimension, LENGTH))).astype(np.float16).astype(np.float32)
    return Reference(logit, mean, std, embedding, dimension, "made up")


def test_it_comes_back_as_it_was() -> None:
    ours, back = some(), Reference.from_bytes(some().to_bytes())
    for name in ("logit", "grey_mean", "grey_std", "embedding"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(back, name))
    assert (back.dimension, back.about, len(back)) == (16, "made up", 120)


def _archive(**changes: object) -> bytes:
    with np.load(io.BytesIO(some().to_bytes())) as arrays:
        content = {name: arrays[name] for name in arrays.files} | changes
    target = io.BytesIO()
    np.savez_compressed(target, **{k: v for k, v in content.items() if v is not None})
    return target.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 nothing",
        some().to_bytes()[:-40],
        _archive(logit=None),
        _archive(logit=np.zeros(3, np.float32)),
        _archive(logit=np.zeros((120, 1), np.float32)),
        _archive(logit=np.full(120, np.nan, np.float32)),
        _archive(logit=np.array(["1"] * 120)),
        _archive(logit=np.array([object()] * 120)),
        _archive(format=np.int64(2)),
        _archive(dimension=np.int64(17)),
        _archive(huge=np.zeros(2**25, np.uint8)),
    ],
)
def test_what_is_no_reference_is_refused(content: bytes) -> None:
    with pytest.raises(PackageFormatError):
        Reference.from_bytes(content)


@given(st.integers(0, 2**32 - 1), st.integers(LENGTH + 1, 600))
def test_shortening_keeps_distances(seed: int, dimension: int) -> None:
    points = np.random.default_rng(seed).normal(size=(30, dimension)).astype(np.float32)
    short = shorten(points)
    assert short.shape == (30, LENGTH)
    before = np.linalg.norm(points[:, None] - points[None], axis=2)[np.triu_indices(30, 1)]
    after = np.linalg.norm(short[:, None] - short[None], axis=2)[np.triu_indices(30, 1)]
    assert np.mean(after / before) == pytest.approx(1, abs=0.15)


def test_the_projection_is_the_same_for_ever() -> None:
    """Old references would be worth nothing if it changed."""
    first = shorten(np.eye(100, dtype=np.float32)[:1])[0] * np.sqrt(LENGTH)
    assert np.packbits(first > 0).tobytes().hex() == PROJECTION


PROJECTION = "d3d85ddee40d9883"


def test_grey_statistics_are_of_a_scale_from_black_to_white() -> None:
    assert grey_statistics(np.array([[0, 255]], np.uint8)) == (0.5, 0.5)


def test_a_package_carries_it_and_guards_it(tmp_path: Path, tiny_package: ModelPackage) -> None:
    assert tiny_package.reference() is None
    card, content = tiny_package.card(), some().to_bytes()
    graph = tiny_package.graph_bytes()
    written = tiny_package.write(tmp_path / "new", graph=graph, card=card, reference=content)
    assert written.digest != tiny_package.digest
    held = rewrite(written).reference()  # a new card leaves it there
    assert held is not None
    assert len(held) == 120
    (tmp_path / "new" / REFERENCE).write_bytes(content + b" ")
    with pytest.raises(PackageTamperedError, match=REFERENCE):
        ModelPackage.read(tmp_path / "new")
    (tmp_path / "new" / REFERENCE).unlink()
    with pytest.raises(PackageError, match=REFERENCE):
        ModelPackage.read(tmp_path / "new")
    replace(written, version="2.0").write(tmp_path / "new", graph=graph, card=card)
    assert ModelPackage.read(tmp_path / "new").reference() is None


@pytest.mark.parametrize("name", shipped_packages())
def test_shipped_packages_have_one_and_it_is_small(name: str) -> None:
    package = ModelPackage.read(find_package(name))
    reference, content = package.reference(), package.reference_bytes()
    assert reference is not None
    assert content is not None
    assert len(reference) == 400
    assert len(content) < 300_000

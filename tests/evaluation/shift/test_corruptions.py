from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps
from scipy import ndimage

from lungflag.evaluation.shift import CORRUPTIONS, SEVERITIES, corrupt
from lungflag.evaluation.shift.corruptions import REFERENCE_HISTOGRAM

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOCS = Path(__file__).parents[3] / "docs" / "shift.md"
GRADED = [name for name, corruption in CORRUPTIONS.items() if corruption.graded]
BOTH_WAYS = ("brightness", "contrast", "gamma", "rotation")


def film(seed: int = 0, shape: tuple[int, int] = (224, 200)) -> NDArray[np.uint8]:
    """Return a picture with large forms, fine grain and a wide histogram."""
    rng = np.random.default_rng(seed)
    coarse = ndimage.zoom(rng.uniform(30, 225, (7, 7)), (shape[0] / 7, shape[1] / 7), order=3)
    grain = ndimage.gaussian_filter(rng.normal(0, 12, shape), 1.0)
    grey: NDArray[np.uint8] = np.clip(coarse + grain, 0, 255).astype(np.uint8)
    return grey


@pytest.mark.parametrize("name", CORRUPTIONS)
@settings(max_examples=30)
@given(
    grey=arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    severity=st.sampled_from(SEVERITIES),
    seed=st.integers(0, 2**64),
)
def test_any_picture_keeps_its_shape_and_the_same_arguments_give_the_same_bytes(
    name: str, grey: NDArray[np.uint8], severity: int, seed: int
) -> None:
    before = grey.copy()
    found = corrupt(name, grey, severity, seed)
    assert found.dtype == np.uint8
    assert found.shape == grey.shape
    assert np.array_equal(grey, before)
    assert np.array_equal(found, corrupt(name, grey, severity, seed))


@pytest.mark.parametrize("name", GRADED)
def test_each_severity_is_further_from_the_clean_picture_than_the_last(name: str) -> None:
    distance = [
        np.mean(
            [
                np.abs(corrupt(name, film(seed), severity, seed) - film(seed).astype(float)).mean()
                for seed in range(5)
            ]
        )
        for severity in SEVERITIES
    ]
    assert distance[0] > 0
    assert distance == sorted(set(distance))


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_both_directions_are_drawn_and_kept_from_one_severity_to_the_next(name: str) -> None:
    grey = film()
    if name == "rotation":
        grey = np.repeat([[0, 255]], 100, axis=1).astype(np.uint8).repeat(100, axis=0)

    def direction(severity: int, seed: int) -> bool:
        found = corrupt(name, grey, severity, seed).astype(float)
        if name == "contrast":
            return bool(found.std() > grey.std())
        if name == "rotation":  # whether the bright right half turned downwards
            return bool(found[-1].mean() > found[0].mean())
        return bool(found.mean() > grey.mean())

    drawn = [direction(5, seed) for seed in range(20)]
    assert 3 <= sum(drawn) <= 17
    assert drawn == [direction(1, seed) for seed in range(20)]


# Left out: a JPEG block is 8 pixels at any resolution, and 'nearest' picks other pixels.
@pytest.mark.parametrize("name", sorted({*CORRUPTIONS} - {"jpeg", "resampling-filter"}))
def test_a_severity_is_as_strong_on_a_finer_copy_once_both_are_reduced(name: str) -> None:
    small = film(shape=(224, 224))
    large = np.array(Image.fromarray(small).resize((448, 448), Image.Resampling.BILINEAR))

    def reduced(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
        image = Image.fromarray(grey).resize((112, 112), Image.Resampling.BOX)
        return np.asarray(image, dtype=np.float64)

    def effect(grey: NDArray[np.uint8], seed: int) -> float:
        return float(np.abs(reduced(corrupt(name, grey, 4, seed)) - reduced(grey)).mean())

    fine, coarse = (np.mean([effect(grey, seed) for seed in range(6)]) for grey in (large, small))
    assert fine == pytest.approx(coarse, rel=0.25)


@pytest.mark.parametrize("name", ["equalised", "matched"])
def test_on_one_histogram_brightness_contrast_and_gamma_no_longer_show(name: str) -> None:
    curve = 255 * (np.arange(256) / 255) ** 1.5 * 0.8
    grey = film()
    toned = np.rint(curve).astype(np.uint8)[grey]
    assert np.abs(grey.astype(float) - toned).mean() > 20
    ours, theirs = (corrupt(name, one, 1, 0).astype(float) for one in (grey, toned))
    assert np.abs(ours - theirs).mean() < 1.5


def test_equalised_is_what_pillow_makes_of_it() -> None:
    theirs = np.asarray(ImageOps.equalize(Image.fromarray(film())), dtype=float)
    assert np.abs(corrupt("equalised", film(), 1, 0) - theirs).mean() < 3


def test_matched_has_the_quantiles_of_the_reference() -> None:
    assert sum(REFERENCE_HISTOGRAM) == pytest.approx(1)
    shares = np.linspace(0.05, 0.95, 19)
    wanted = np.searchsorted(np.cumsum(REFERENCE_HISTOGRAM), shares)
    found = np.quantile(corrupt("matched", film(), 1, 0), shares)
    assert np.abs(found - wanted).max() <= 3


def test_blur_is_the_gaussian_of_scipy() -> None:
    grey = film()
    sd = CORRUPTIONS["blur"].levels[4][0]
    theirs = ndimage.gaussian_filter(grey.astype(float), sd, mode="nearest")
    assert np.abs(corrupt("blur", grey, 5, 0) - theirs)[8:-8, 8:-8].mean() < 0.6


def test_letters_are_bright_marks_and_nothing_else_changes() -> None:
    grey = film()
    marked = corrupt("burned-in-letters", grey, 5, 1)
    touched = marked != grey
    assert 0.01 < touched.mean() < 0.15
    assert corrupt("burned-in-letters", np.zeros_like(grey), 5, 1).max() >= 190


def test_borders_are_black_and_the_whole_picture_stays_between_them() -> None:
    grey = np.full((100, 80), 200, np.uint8)
    for seed in range(9):
        framed = corrupt("black-borders", grey, 5, seed)
        assert set(np.unique(framed)) == {0, 200}
        inside = framed[framed.any(axis=1)][:, framed.any(axis=0)]
        assert (inside == 200).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("severity", [0, 6, -1])
def test_a_severity_out_of_range_is_refused(name: str, severity: int) -> None:
    with pytest.raises(ValueError, match="not 1 to 5"):
        corrupt(name, film(), severity, 0)


def test_the_docs_have_every_level() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name, corruption in CORRUPTIONS.items():
        if corruption.graded:
            levels = [" / ".join(f"{value:g}" for value in level) for level in corruption.levels]
            assert f"| `{name}` | {' | '.join(levels)} |" in text
        else:
            assert f"`{name}`" in text


def test_the_registry_cannot_be_changed() -> None:
    registry: Any = CORRUPTIONS
    with pytest.raises(TypeError):
        registry["blur"] = CORRUPTIONS["noise"]
    with pytest.raises(KeyError):
        corrupt("fog", film(), 1, 0)

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label

from lungflag.phantom import Phantom, make_phantom, write_mask, write_png
from lungflag.phantom.patient import SIDES, Acquisition, Patient
from lungflag.phantom.projection import Grid, Interval, blur, union_length
from lungflag.phantom.render import cast, expose
from lungflag.phantom.skeleton import bones
from lungflag.phantom.thorax import Thorax
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SEEDS = range(1, 9)
SIZE = 160


@cache
def phantom(seed: int, pneumonia: bool) -> Phantom:
    return make_phantom(seed, pneumonia=pneumonia, size=SIZE)


def _streams() -> dict[str, np.random.Generator]:
    names = ("body", "vessels", "texture", "disease")
    return {name: np.random.default_rng(k) for k, name in enumerate(names)}


def _lungs(one: Phantom) -> NDArray[np.bool_]:
    grid = Grid.of(one.acquisition, SIZE)
    thorax = Thorax.of(one.patient, grid, np.random.default_rng(0))
    return np.asarray(sum(thorax.lungs[side].length for side in SIDES) > 0)


def _near(mask: NDArray[np.bool_], pixels: float) -> NDArray[np.bool_]:
    return np.asarray(blur(mask.astype(np.float32), pixels) > 1e-3)


def test_pixels_are_a_monochrome2_radiograph() -> None:
    one = phantom(1, False)
    assert one.pixels.shape == one.mask.shape == (SIZE, SIZE)
    assert one.pixels.dtype == np.float32
    assert not one.pixels.flags.writeable
    assert one.pixels.min() >= 0
    assert one.pixels.max() <= 1
    lung = np.median(one.pixels[SIZE // 2, SIZE // 4 : SIZE // 3])
    mediastinum = np.median(one.pixels[SIZE // 2, SIZE // 2 - 5 : SIZE // 2 + 5])
    bare = np.percentile(one.pixels, 2)
    assert bare < lung < mediastinum


@pytest.mark.parametrize(("seed", "pneumonia"), [(1127, False), (1484, True)])
def test_a_bright_edge_does_not_blacken_the_film(seed: int, pneumonia: bool) -> None:
    """Beside it the detector's narrow blur swings below nothing, which has no square root."""
    pixels = make_phantom(seed, pneumonia=pneumonia, size=256).pixels
    assert np.isfinite(pixels).all()
    assert pixels.std() > 0.1


@pytest.mark.parametrize("pneumonia", [False, True])
def test_the_seed_decides_everything(pneumonia: bool) -> None:
    again = make_phantom(3, pneumonia=pneumonia, size=SIZE)
    np.testing.assert_array_equal(again.pixels, phantom(3, pneumonia).pixels)
    np.testing.assert_array_equal(again.mask, phantom(3, pneumonia).mask)
    assert np.abs(again.pixels - phantom(4, pneumonia).pixels).max() > 0.2


def test_the_patient_and_the_disease_do_not_depend_on_the_size() -> None:
    small = make_phantom(3, pneumonia=True, size=96)
    assert small.patient == phantom(3, True).patient
    assert small.foci == phantom(3, True).foci
    assert abs(small.mask.mean() - phantom(3, True).mask.mean()) < 0.004


@pytest.mark.parametrize("seed", SEEDS)
def test_the_label_changes_nothing_but_the_consolidation(seed: int) -> None:
    normal, ill = phantom(seed, False), phantom(seed, True)
    assert (normal.label, ill.label) == ("normal", "pneumonia")
    assert normal.patient == ill.patient
    assert normal.acquisition == ill.acquisition
    far = ~_near(ill.mask, 0.1 * SIZE)
    assert far.mean() > 0.25
    # Scatter and the compression of grey reach a little further than the disease itself.
    assert np.abs(normal.pixels - ill.pixels)[far].mean() < 0.004
    assert np.abs(normal.pixels - ill.pixels)[far].max() < 0.08


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mask_lies_in_the_lungs_and_is_brighter(seed: int) -> None:
    normal, ill = phantom(seed, False), phantom(seed, True)
    assert not normal.mask.any()
    assert ill.mask.sum() > 0.003 * ill.mask.size
    assert not (ill.mask & ~_lungs(ill)).any()
    difference = (ill.pixels - normal.pixels)[ill.mask]
    assert difference.mean() > 0.02
    assert np.mean(difference > -0.02) > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_the_lung_fields_are_what_a_film_shows_of_the_lungs(seed: int) -> None:
    normal, ill = phantom(seed, False), phantom(seed, True)
    np.testing.assert_array_equal(normal.lungs, ill.lungs)
    assert 0.15 < normal.lungs.mean() < 0.32
    assert not (normal.lungs & ~_lungs(normal)).any()
    hidden = _lungs(normal) & ~normal.lungs  # by heart, mediastinum and diaphragm: brighter
    dark, bright = (np.median(normal.pixels[where]) for where in (normal.lungs, hidden))
    assert bright - dark > 0.15
    pieces, _ = label(normal.lungs)  # one field a side of the spine, neither in pieces
    sizes = np.bincount(pieces.ravel())[1:]
    assert len(sizes) == 2
    assert sizes.min() > 0.6 * sizes.max()


@pytest.mark.parametrize("seed", SEEDS)
def test_most_of_a_consolidation_lies_in_the_lung_fields(seed: int) -> None:
    ill = phantom(seed, True)
    assert (ill.mask & ill.lungs).sum() > 0.7 * ill.mask.sum()


def test_foci_vary_in_kind_and_subtlety() -> None:
    foci = [focus for seed in SEEDS for focus in phantom(seed, True).foci]
    assert len({focus.kind for focus in foci}) == 3
    densities = [focus.density for focus in foci]
    assert max(densities) - min(densities) > 0.2


def test_a_larger_body_attenuates_more() -> None:
    how = Acquisition.sample(np.random.default_rng(1))
    grid = Grid.of(how, 96)
    patient = replace(Patient.sample(np.random.default_rng(2), how.view), scale=0.9, girth=1.0)
    base = cast(patient, grid, (), _streams()).exponent
    larger = cast(replace(patient, scale=1.0), grid, (), _streams()).exponent
    fatter = cast(replace(patient, girth=1.15), grid, (), _streams()).exponent
    np.testing.assert_allclose(larger, base / 0.9, rtol=1e-4)
    assert fatter.mean() > base.mean()
    noise = [expose(e, how, grid.pitch, np.random.default_rng(3)) for e in (base, larger)]
    assert noise[1].mean() < noise[0].mean()


def test_the_signal_follows_beer_and_lambert() -> None:
    how = replace(Acquisition.sample(np.random.default_rng(1)), dose=1e12)
    thickness = np.full((64, 64), 3.0, dtype=np.float32)
    once, twice = (
        expose(n * thickness, how, 0.5, np.random.default_rng(0)).mean() for n in (1.0, 2.0)
    )
    np.testing.assert_allclose(once * once / twice, 1.07, rtol=1e-3)  # 1 but for the scatter


def test_noise_falls_with_the_dose() -> None:
    how = Acquisition.sample(np.random.default_rng(1))
    flat = np.full((64, 64), 2.0, dtype=np.float32)
    weak, strong = (
        float(expose(flat, replace(how, dose=dose), 0.5, np.random.default_rng(0)).std())
        for dose in (1e4, 1e6)
    )
    np.testing.assert_allclose(weak / strong, 10, rtol=0.05)


def test_projected_bones_keep_their_volume() -> None:
    how = replace(Acquisition.sample(np.random.default_rng(1)), field=60.0, dx=0.0, dy=0.0)
    patient = Patient.sample(np.random.default_rng(2), "PA")
    volumes = [
        float(bones(patient, grid).sum()) * grid.pitch**2
        for grid in (Grid.of(how, 128), Grid.of(how, 256))
    ]
    np.testing.assert_allclose(volumes[0], volumes[1], rtol=0.05)


def test_the_union_of_intervals_counts_no_depth_twice() -> None:
    rng = np.random.default_rng(5)
    parts = [
        Interval(a.astype(np.float32), (a + rng.uniform(-1, 3, (4, 5))).astype(np.float32))
        for a in rng.uniform(-5, 5, (6, 4, 5))
    ]
    depths = np.linspace(-8, 10, 18_001)
    covered = np.zeros((4, 5, len(depths)), dtype=bool)
    for part in parts:
        covered |= (depths >= part.start[..., None]) & (depths < part.end[..., None])
    np.testing.assert_allclose(union_length(parts), covered.sum(axis=-1) * 0.001, atol=0.02)


def test_the_word_synthetic_is_burned_in_whatever_the_label() -> None:
    word = np.s_[482:508, 8:98]
    for pneumonia in (False, True):
        letters = make_phantom(4, pneumonia=pneumonia, size=512).pixels[word]
        np.testing.assert_allclose(letters.max(), 0.9, atol=0.02)
        assert letters.min() < 0.1  # their dark rim


def test_png_keeps_pixels_and_says_that_it_is_synthetic(tmp_path: Path) -> None:
    one = phantom(2, True)
    write_png(one, tmp_path / "one.png")
    write_mask(one.mask, tmp_path / "mask.png")
    read = read_radiograph(tmp_path / "one.png")
    np.testing.assert_allclose(read.pixels, one.pixels, atol=0.51 / 255)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "mask.png")) > 0, one.mask)
    with Image.open(tmp_path / "one.png") as image:
        assert "SYNTHETIC" in str(image.info["Description"])

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lungflag.phantom import make_phantom
from lungflag.preprocess import Preprocess
from lungflag.training.lungs import LungCentring, load_lung_finder, lung_box, unview, view


def test_the_finder_knows_the_lungs_of_phantoms_it_never_saw() -> None:
    centring = LungCentring(load_lung_finder())
    overlaps = []
    for seed in range(900_000, 900_006):
        phantom = make_phantom(seed, pneumonia=seed % 2 == 0, size=224)
        square = Preprocess()(phantom.pixels)
        lungs, _ = centring(torch.from_numpy(square)[None, None].float() / 255)
        found = torch.nn.functional.interpolate(lungs, 224, mode="bilinear")[0, 0].numpy() > 0.5
        overlaps.append(2 * (found & phantom.lungs).sum() / (found.sum() + phantom.lungs.sum()))
    assert np.mean(overlaps) > 0.85  # Dice coefficient


boxes = st.tuples(st.integers(2, 12), st.integers(2, 12), st.integers(12, 18), st.integers(12, 18))


@given(boxes)
def test_the_box_holds_the_lungs(corner: tuple[int, int, int, int]) -> None:
    top, left, height, width = corner
    lungs = torch.zeros(1, 1, 32, 32)
    lungs[..., top : top + height, left : left + width] = 1.0
    row, column, tall, wide = lung_box(lungs)[0].tolist()
    assert row == pytest.approx((top + height / 2) / 32, abs=1e-5)
    assert column == pytest.approx((left + width / 2) / 32, abs=1e-5)
    assert height / 32 <= tall <= 1.15 * height / 32
    assert width / 32 <= wide <= 1.15 * width / 32


def test_without_lungs_the_box_is_the_whole_radiograph() -> None:
    assert lung_box(torch.zeros(1, 1, 32, 32)).tolist() == [[0.5, 0.5, 1.0, 1.0]]


def test_a_map_goes_back_to_where_its_view_was() -> None:
    grey = torch.zeros(1, 1, 224, 224)
    grey[..., 80:96, 120:136] = 1.0
    box = torch.tensor([[0.45, 0.55, 0.6, 0.5]])
    back = unview(view(grey, box, 192), box, 224)
    torch.testing.assert_close(back, grey, atol=0.6, rtol=0)
    assert float((back - grey).abs().mean()) < 2e-3
    outside = torch.ones(1, 1, 224, 224)
    frame = unview(view(outside, box, 192), box, 224)[0, 0]
    assert float(frame[:30].abs().max()) == 0.0
    assert float(frame[60:150, 80:160].min()) == pytest.approx(1.0)

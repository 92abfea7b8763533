from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from lungflag.data.manifest import Row
from lungflag.training.datamodule import BalancedOrder, sampling_weights


def _rows() -> list[Row]:
    cells = {
        ("large", "", "normal"): 100,
        ("large", "", "pneumonia"): 300,
        ("small", "AP", "normal"): 20,
        ("small", "AP", "pneumonia"): 5,
        ("small", "PA", "normal"): 5,
        ("small", "PA", "pneumonia"): 20,
    }
    return [
        Row(Path(f"{source}{view}{label}{k}"), label, f"p{k}", "train", source, {"view": view})
        for (source, view, label), n in cells.items()
        for k in range(n)
    ]


def test_neither_hospital_nor_view_tells_the_label() -> None:
    rows = _rows()
    weights = sampling_weights(rows, 0.5)
    assert weights is not None
    mass: Counter[tuple[str, str, str]] = Counter()
    for row, weight in zip(rows, weights.tolist(), strict=True):
        mass[row.source, row.extra["view"], row.label] += weight
    for source, view in (("large", ""), ("small", "AP"), ("small", "PA")):
        assert mass[source, view, "normal"] == pytest.approx(mass[source, view, "pneumonia"])
    large, small = mass["large", "", "normal"], mass["small", "AP", "normal"]
    assert large / small == pytest.approx((400 / 25) ** 0.5)


def test_no_balance_takes_the_images_as_they_come() -> None:
    assert sampling_weights(_rows(), 0.0) is None


def test_devices_draw_different_images_and_every_epoch_another_order() -> None:
    weights = torch.ones(101, dtype=torch.float64)
    first, second = (BalancedOrder(weights, 2, rank, seed=1) for rank in (0, 1))
    assert len(list(first)) == len(first) == len(second) == 50
    assert list(first) == list(first) != list(second)
    before = list(first)
    first.set_epoch(1)
    assert list(first) != before

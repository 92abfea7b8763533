from __future__ import annotations

import torch

from lungflag.training.augment import Augmentation, random_view
from lungflag.training.lungs import WholeFrame
from lungflag.training.recipe import Recipe


def _batch(n: int = 16, side: int = 96) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    grey = torch.rand(n, 1, side, side, generator=torch.Generator().manual_seed(1))
    return grey, *WholeFrame()(grey)


def test_augmentation_keeps_shape_and_range_and_follows_the_seed() -> None:
    augment = Augmentation(Recipe(image_size=96, view="lungs", style_mix=0.6, opacities=0.5))
    labels = torch.tensor([0.0, 1.0] * 8)
    torch.manual_seed(5)
    first = augment(*_batch(), labels)
    torch.manual_seed(5)
    again = augment(*_batch(), labels)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], augment(*_batch(), labels)[0])
    assert first[0].shape == (16, 1, 96, 96)
    assert 0.0 <= float(first[0].min()) <= float(first[0].max()) <= 1.0


def test_augmentation_can_be_left_out() -> None:
    grey, lungs, box = _batch()
    labels = torch.zeros(16)
    seen, same = Augmentation(Recipe(image_size=96, augment=False))(grey, lungs, box, labels)
    torch.testing.assert_close(seen, grey)
    assert torch.equal(same, labels)


def test_an_opacity_makes_a_normal_film_a_positive_and_no_positive_a_normal_film() -> None:
    augment = Augmentation(Recipe(image_size=96, view="lungs", opacities=1.0))
    labels = torch.tensor([0.0, 1.0] * 8)
    _, after = augment(*_batch(), labels)
    assert (after[labels == 0] == 0.9).all()
    assert (after[labels == 1] == 1.0).all()


def test_views_show_the_box_and_the_lungs_move_with_it() -> None:
    grey = torch.zeros(64, 1, 96, 96)
    grey[..., 24:48, 48:72] = 1.0
    box = torch.tensor([[0.375, 0.625, 0.25, 0.25]]).expand(64, 4)
    torch.manual_seed(1)
    seen, where = random_view(grey, grey, box, 96, smallest=0.5)
    torch.testing.assert_close(seen, where)
    assert float(seen.mean(dim=(1, 2, 3)).min()) > 0.5
    assert len({round(float(one.mean()), 3) for one in seen}) > 20

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image, ImageFilter

from lungflag.training.augment import GreyJpeg, build_augmentation
from lungflag.training.recipe import Recipe


def _film(side: int = 96) -> Image.Image:
    noise = np.random.default_rng(1).normal(128, 90, (side, side)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1.5))


def test_augmentation_keeps_shape_and_range_and_follows_the_seed() -> None:
    augment = build_augmentation(Recipe(image_size=96))
    batch = torch.rand(16, 1, 96, 96, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(5)
    first = augment(batch)
    torch.manual_seed(5)
    assert torch.equal(first, augment(batch))
    assert not torch.equal(first, augment(batch))
    assert first.shape == batch.shape
    assert 0.0 <= float(first.min()) <= float(first.max()) <= 1.0


def test_augmentation_can_be_left_out() -> None:
    batch = torch.rand(2, 1, 96, 96)
    assert torch.equal(build_augmentation(Recipe(image_size=96, augment=False))(batch), batch)


def test_the_jpeg_of_batches_is_libjpegs_within_rounding() -> None:
    for quality in (30, 50, 90):
        film = _film()
        file = io.BytesIO()
        film.save(file, "jpeg", quality=quality)
        theirs = np.asarray(Image.open(file), dtype=np.float32)
        grey = torch.from_numpy(np.asarray(film, dtype=np.float32))[None, None] / 255
        ours = GreyJpeg((quality, quality), p=1.0)(grey)[0, 0].numpy() * 255
        plain = np.asarray(film, dtype=np.float32)
        lost = float(np.abs(theirs - plain).mean())
        assert float(np.abs(ours - theirs).mean()) < 0.25 * lost + 0.5

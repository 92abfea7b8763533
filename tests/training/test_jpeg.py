from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image, ImageFilter

from lungflag.training.jpeg import GreyJpeg


def _film(side: int = 96) -> Image.Image:
    noise = np.random.default_rng(1).normal(128, 90, (side, side)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1.5))


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

"""JPEG's loss, for whole batches of grey images on the training device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Luminance quantisation of the JPEG standard at quality 50 (ITU-T T.81, table augmentation.1).
_QUANTISATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


class GreyJpeg(nn.Module):
    """JPEG's quantisation of 8x8 cosine blocks, for a share `p` of a batch of grey images.

    kornia's RandomJPEG codes three colour channels and costs more than the network's step.
    """

    table: Tensor
    cosines: Tensor

    def __init__(self, quality: tuple[float, float], p: float) -> None:
        super().__init__()
        self.quality, self.p = quality, p
        self.register_buffer("table", torch.tensor(_QUANTISATION) / 255.0, persistent=False)
        place = torch.arange(8.0)
        cosines = torch.cos((2 * place + 1) * place[:, None] * torch.pi / 16) / 2
        cosines[0] /= 2**0.5
        self.register_buffer("cosines", cosines, persistent=False)

    def forward(self, grey: Tensor) -> Tensor:
        """Return `grey` (n, 1, s, s) in 0 to 1 with some images coded and decoded."""
        chosen = torch.rand(len(grey), device=grey.device) < self.p
        if not chosen.any():
            return grey
        quality = torch.empty(int(chosen.sum()), device=grey.device).uniform_(*self.quality)
        scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)  # as libjpeg scales
        steps = self.table * scale[:, None, None, None, None]
        blocks = grey[chosen, 0].unfold(1, 8, 8).unfold(2, 8, 8)  # (n, h/8, w/8, 8, 8)
        coded = self.cosines @ (blocks - 0.5) @ self.cosines.T
        coded = (coded / steps).round() * steps
        plain = self.cosines.T @ coded @ self.cosines + 0.5
        result = grey.clone()
        result[chosen, 0] = plain.permute(0, 1, 3, 2, 4).reshape(-1, *grey.shape[2:])
        return result

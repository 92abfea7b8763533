"""Augmentation of whole batches on the training device: view, opacities, style, picture quality."""

from __future__ import annotations

from math import log, pi
from typing import TYPE_CHECKING

import torch
from kornia import augmentation
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, interpolate

from lungflag.training.jpeg import GreyJpeg
from lungflag.training.lungs import WHOLE, view
from lungflag.training.opacities import insert, opacities
from lungflag.training.style import StyleMix

if TYPE_CHECKING:
    from lungflag.training.recipe import Recipe

LARGEST = 1.4  # area of the largest random view, in areas of the box
_TURN, _SHEAR, _STRETCH, _SHIFT = 12.0, 0.08, 0.2, 0.06
_OPACITY_IS_PNEUMONIA = 0.9  # a radiologist might call some of them something else
_HARMLESS = 0.15  # share of images with an opacity outside the lungs


class Augmentation(nn.Module):
    """From radiographs to what the network sees of them in training.

    The known shortcuts of chest-radiograph sets are sharpness, exposure, borders, posture and
    image size; the view, the grey scale and the resolution are therefore varied most. Randomness
    comes from torch's generator, which the caller seeds for every step.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.picture = nn.Sequential(
            StyleMix(recipe.style_mix),
            augmentation.RandomGamma((0.6, 1.7), p=0.5),
            augmentation.RandomContrast((0.6, 1.4), p=0.5),
            augmentation.RandomBrightness((0.75, 1.25), p=0.5),
            augmentation.RandomGaussianBlur((7, 7), (0.3, 2.0), p=0.3),
            augmentation.RandomSharpness(4.0, p=0.3),
            GreyJpeg((30.0, 95.0), p=0.3),
            augmentation.RandomGaussianNoise(std=0.04, p=0.25),
            _Coarsen(p=0.15),
            _Clamp(),
        )

    def forward(
        self, grey: Tensor, lungs: Tensor, box: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return views (n, 1, size, size) and labels (n,).

        Parameters
        ----------
        grey : Tensor
            Radiographs (n, 1, s, s), 0 to 1.
        lungs, box : Tensor
            Where the lungs are (n, 1, h, w) and the box around them (n, 4).
        labels : Tensor
            0 for normal, 1 for pneumonia, (n,).
        """
        size = self.recipe.image_size
        if self.recipe.view == "both":
            frame = torch.rand(len(box), 1, device=box.device) < 0.5
            box = torch.where(frame, box.new_tensor(WHOLE), box)
        if not self.recipe.augment:
            return view(grey, box, size), labels
        lungs = interpolate(lungs, grey.shape[-2:], mode="bilinear", align_corners=False)
        seen, where = random_view(grey, lungs, box, size, smallest=self.recipe.crop_scale)
        if self.recipe.opacities:
            seen, labels = self._with_opacities(seen, where, labels)
        return self.picture(seen), labels

    def _with_opacities(self, seen: Tensor, where: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        seen, labels, draw = seen.clone(), labels.clone(), torch.rand_like(labels)
        ill = (labels == 0) & (draw < self.recipe.opacities)
        beside = torch.rand_like(labels) < _HARMLESS
        for chosen, place in ((ill, where), (beside, 1 - where)):
            if chosen.any():
                seen[chosen] = insert(seen[chosen], opacities(place[chosen]))
        labels[ill] = _OPACITY_IS_PNEUMONIA
        return seen, labels


def random_view(
    grey: Tensor, lungs: Tensor, box: Tensor, size: int, *, smallest: float
) -> tuple[Tensor, Tensor]:
    """Return views near the boxes and the lungs in them, both (n, 1, size, size).

    Area (from `smallest` to `LARGEST` boxes), place, aspect ratio, rotation, shear and side are
    drawn; a view smaller than the box lies anywhere within it.
    """

    def draw(low: float, high: float) -> Tensor:
        return torch.empty(len(grey), device=grey.device).uniform_(low, high)

    scale = torch.exp(draw(log(smallest) / 2, log(LARGEST) / 2))
    stretch = torch.exp(draw(-_STRETCH, _STRETCH) / 2)
    row, column, tall, wide = box.unbind(dim=1)
    height, width = tall * scale * stretch, wide * scale / stretch
    row = row + draw(-1, 1) * ((tall - height).clamp(min=0) / 2 + _SHIFT * tall)
    column = column + draw(-1, 1) * ((wide - width).clamp(min=0) / 2 + _SHIFT * wide)
    turn = draw(-_TURN, _TURN) * pi / 180 * (draw(0, 1) < 0.6)
    side = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    shear = draw(-_SHEAR, _SHEAR)
    theta = torch.stack(
        [
            torch.stack(
                [width * turn.cos() * side, -width * (turn.sin() - shear), 2 * column - 1], 1
            ),
            torch.stack([height * turn.sin() * side, height * turn.cos(), 2 * row - 1], 1),
        ],
        dim=1,
    )
    grid = affine_grid(theta, [len(grey), 1, size, size], align_corners=False)
    both = grid_sample(torch.cat([grey, lungs], dim=1), grid, align_corners=False)
    return both[:, :1], both[:, 1:]


class _Coarsen(nn.Module):
    """A share `p` of the batch as a coarser detector or an enlarged thumbnail shows it."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, grey: Tensor) -> Tensor:
        chosen = torch.rand(len(grey), device=grey.device) < self.p
        if not chosen.any():
            return grey
        share = float(torch.empty(1).uniform_(0.35, 0.8))
        small = interpolate(grey[chosen], round(grey.shape[-1] * share), mode="area")
        mode = "nearest" if share < 0.5 else "bilinear"
        result = grey.clone()
        result[chosen] = interpolate(small, grey.shape[-1], mode=mode)
        return result


class _Clamp(nn.Module):
    def forward(self, grey: Tensor) -> Tensor:
        return grey.clamp(0.0, 1.0)

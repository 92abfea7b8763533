"""The lung fields: a small network that finds them, the box around them, the view of that box.

A detector that is shown the lungs alone cannot read the hospital from arms, collimation and
letters. The finder is trained on synthetic radiographs, whose lungs are known, and then on its own
surest answers for real films (`runs/lungs/train.py`); no film was outlined by hand.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

SIDE = 128
GRID = 32
SHIPPED = Path(__file__).with_name("lungs.safetensors")

_WIDTHS = (12, 24, 48, 64, 64)
WHOLE = (0.5, 0.5, 1.0, 1.0)
_CERTAIN = 0.35  # fainter places are not lungs
_TAIL = 0.02  # share of the lungs that may lie beyond each side of the box: stray spots
_MARGIN = 0.06  # of the box's side, added on each side: pleura and ribs


class LungFinder(nn.Module):
    """A U-Net from a radiograph to where its lung fields are (Ronneberger et al., MICCAI 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.down, before = nn.ModuleList(), 1
        for width in _WIDTHS:
            self.down.append(nn.Sequential(_block(before, width, 2), _block(width, width)))
            before = width
        self.up = nn.ModuleList(
            _block(deep + shallow, shallow)
            for deep, shallow in zip(_WIDTHS[:1:-1], _WIDTHS[-2:0:-1], strict=True)
        )
        self.out = nn.Conv2d(_WIDTHS[1], 1, 1)

    def forward(self, grey: Tensor) -> Tensor:
        """Return the logit of 'lung' (n, 1, 32, 32) for `grey` (n, 1, s, s) in 0 to 1."""
        features = (_reduced(grey) - 0.5) / 0.25
        seen = []
        for block in self.down:
            features = block(features)
            seen.append(features)
        for block, beside in zip(self.up, seen[-2:0:-1], strict=True):
            larger = interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([larger, beside], dim=1))
        found: Tensor = self.out(features)
        return found


def load_lung_finder(file: Path = SHIPPED) -> LungFinder:
    """Return the trained finder, frozen."""
    finder = LungFinder()
    finder.load_state_dict(load_file(file))
    return finder.to(memory_format=torch.channels_last).eval().requires_grad_(False)


class LungCentring(nn.Module):
    """Where to look: the lungs of each radiograph, and the box around them."""

    def __init__(self, finder: LungFinder) -> None:
        super().__init__()
        self.finder = finder

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of 'lung' (n, 1, 32, 32) and the box (n, 4) for `grey`."""
        lungs = self.finder(grey).sigmoid()
        return lungs, lung_box(lungs)


class WholeFrame(nn.Module):
    """Where to look when the lungs are not looked for: everywhere."""

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same as `LungCentring`, everything being lung."""
        lungs = torch.ones(len(grey), 1, GRID, GRID, device=grey.device)
        return lungs, torch.tensor(WHOLE, device=grey.device).expand(len(grey), 4)


def lung_box(lungs: Tensor) -> Tensor:
    """Return the box around the lungs: centre row, centre column, height, width; (n, 4).

    In shares of the radiograph's sides. A little of the lungs' mass may lie outside before the
    margin is added, so that a stray spot does not widen the box. Without lungs it is all of the
    radiograph.

    Parameters
    ----------
    lungs : Tensor
        Probability of 'lung', shape (n, 1, h, w).
    """
    sure = torch.where(lungs > _CERTAIN, lungs, 0.0)[:, 0]
    top, bottom = _ends(sure.sum(dim=2))
    left, right = _ends(sure.sum(dim=1))
    height, width = (bottom - top) * (1 + 2 * _MARGIN), (right - left) * (1 + 2 * _MARGIN)
    box = torch.stack([(top + bottom) / 2, (left + right) / 2, height, width], dim=1)
    whole = torch.tensor(WHOLE, device=lungs.device)
    found = (sure.mean(dim=(1, 2)) > 0.02)[:, None]
    return torch.where(found, box.clamp(min=0.1), whole)


def view(grey: Tensor, box: Tensor, size: int) -> Tensor:
    """Return `grey` (n, 1, s, s) within `box` (n, 4) as (n, 1, size, size); black beyond it."""
    return _sampled(grey, box[:, 2:], 2 * box[:, :2] - 1, size)


def unview(seen: Tensor, box: Tensor, size: int) -> Tensor:
    """Return a map (n, 1, h, w) over `box` (n, 4) as one over the radiograph; 0 outside."""
    return _sampled(seen, 1 / box[:, 2:], (1 - 2 * box[:, :2]) / box[:, 2:], size)


def _sampled(grey: Tensor, scale: Tensor, centre: Tensor, size: int) -> Tensor:
    # Not affine_grid: its exported form would fix the number of images.
    place = (2 * torch.arange(size, device=grey.device) + 1) / size - 1
    across = scale[:, 1:] * place + centre[:, 1:]
    down = scale[:, :1] * place + centre[:, :1]
    grid = torch.stack(
        [
            across[:, None, :].expand(-1, size, -1),
            down[:, :, None].expand(-1, -1, size),
        ],
        dim=3,
    )
    return grid_sample(grey, grid, align_corners=False)


def _ends(profile: Tensor) -> tuple[Tensor, Tensor]:
    """Return where all but the tails of `profile` (n, k) begin and end, in shares of k."""
    total = profile.sum(dim=1, keepdim=True).clamp(min=1e-6)
    reached = (profile.cumsum(dim=1) - profile / 2) / total
    k = profile.shape[1]
    return (reached < _TAIL).sum(dim=1) / k, 1 - (reached > 1 - _TAIL).sum(dim=1) / k


def _reduced(grey: Tensor) -> Tensor:
    """Return `grey` at the finder's side; a first average of neighbours keeps out aliasing."""
    softened = avg_pool2d(grey, 2, stride=1) if grey.shape[-1] > SIDE else grey
    return interpolate(softened, (SIDE, SIDE), mode="bilinear", align_corners=False)


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )

"""Style: the grey scale and the coarse spectrum, made to say nothing of hospital or device.

Each image may take another image's style: its histogram, or the amplitudes of its low spatial
frequencies, whatever the hospital and label of that other image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

_LEVELS = 256
_COARSE = 0.06  # share of the spectrum's side whose amplitudes are mixed


class StyleMix(nn.Module):
    """One change of style for a share `p` of a batch of grey images (n, 1, s, s) in 0 to 1."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, grey: Tensor) -> Tensor:
        """Return `grey` with some images changed; partners come from the same batch."""
        n, device = len(grey), grey.device
        partner = grey[torch.randperm(n, device=device)]
        kind = torch.randint(len(_CHANGES), (n,), device=device)
        kind[torch.rand(n, device=device) >= self.p] = -1
        result = grey.clone()
        for number, change in enumerate(_CHANGES):
            chosen = torch.nonzero(kind == number)[:, 0]
            if len(chosen):
                result[chosen] = change(grey[chosen], partner[chosen])
        return result


def match(grey: Tensor, partner: Tensor) -> Tensor:
    """Return `grey` with the histogram of `partner`."""
    share, wanted = _distribution(grey), _distribution(partner).contiguous()
    level = torch.searchsorted(wanted, share.contiguous()).clamp(max=_LEVELS - 1)
    return _look_up(grey, level / (_LEVELS - 1))


def equalise(grey: Tensor, partner: Tensor) -> Tensor:
    """Return a blend of `grey` and its histogram equalised; `partner` has no say."""
    del partner
    part = torch.empty(len(grey), 1, 1, 1, device=grey.device).uniform_(0.3, 1.0)
    return part * _look_up(grey, _distribution(grey)) + (1 - part) * grey


def bend(grey: Tensor, partner: Tensor) -> Tensor:
    """Return `grey` through a random rising curve; `partner` has no say."""
    del partner
    n, device = len(grey), grey.device
    steepness = torch.empty(n, 1, device=device).uniform_(0.5, 2.0)
    steps = torch.rand(n, 8, device=device) ** steepness + 0.1
    knots = torch.cat([torch.zeros(n, 1, device=device), steps.cumsum(dim=1)], dim=1)
    curve = nn.functional.interpolate(
        (knots / knots[:, -1:])[:, None], _LEVELS, mode="linear", align_corners=True
    )
    return _look_up(grey, curve[:, 0])


def mix_spectra(grey: Tensor, partner: Tensor) -> Tensor:
    """Return `grey` with some of the coarse amplitudes of `partner` and all of its own phases.

    References
    ----------
    Y. Yang and S. Soatto, 'FDA: Fourier domain adaptation for semantic segmentation', CVPR 2020.
    """
    own, other = torch.fft.rfft2(grey), torch.fft.rfft2(partner)
    side = max(1, round(grey.shape[-1] * _COARSE))
    coarse = torch.zeros(own.shape[-2:], device=grey.device)
    coarse[:side, :side] = coarse[-side:, :side] = 1
    coarse[0, 0] = 0  # the mean grey stays
    part = coarse * torch.empty(len(grey), 1, 1, 1, device=grey.device).uniform_(0.2, 1.0)
    amplitude = own.abs() * (1 - part) + other.abs() * part
    mixed: Tensor = torch.fft.irfft2(torch.polar(amplitude, own.angle()), s=grey.shape[-2:])
    return mixed.clamp(0, 1)


_CHANGES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (match, equalise, bend, mix_spectra)


def _distribution(grey: Tensor) -> Tensor:
    """Return each image's share of pixels up to each level, (n, 256)."""
    level = _levels(grey)
    counts = torch.zeros(len(grey), _LEVELS, device=grey.device)
    counts.scatter_add_(1, level, torch.ones_like(level, dtype=counts.dtype))
    return counts.cumsum(dim=1) / level.shape[1]


def _look_up(grey: Tensor, curve: Tensor) -> Tensor:
    return curve.gather(1, _levels(grey)).view_as(grey)


def _levels(grey: Tensor) -> Tensor:
    return (grey.flatten(1) * (_LEVELS - 1)).round().clamp(0, _LEVELS - 1).long()

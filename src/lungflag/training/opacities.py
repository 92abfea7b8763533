"""Synthetic opacities: a normal film with one in its lungs is a positive of the same hospital.

Whatever tells hospitals, devices and ages apart is equal in both, so that only the opacity can tell
the classes apart. Opacities outside the lungs change no label: being an insertion means nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate

_FOCI = 4
_PLACES = 24


def opacities(where: Tensor) -> Tensor:
    """Return random opacities, 0 to 1, within `where` (n, 1, s, s): foci, patches, fine spots.

    One to four ragged foci lie in each; in a quarter of the images they are loosened into fine
    spots, as in interstitial pneumonia.
    """
    foci = _foci(where)
    grain = 0.5 * _noise(where, 6) + 0.6 * _noise(where, 16) + 0.5 * _noise(where, 40)
    ragged = 2 * foci - 1 + 0.6 * grain * _uniform(where, 0.2, 1.0)
    patches = torch.sigmoid(ragged * _uniform(where, 2, 5)) * (3 * foci).clamp(0, 1)
    spots = (0.25 * _noise(where, 56) + 0.25 * _noise(where, 28) + 0.3).clamp(0, 1)
    around = (1.6 * avg_pool2d(patches, 31, 1, 15) + 0.15).clamp(0, 1)
    loose = torch.rand(len(where), 1, 1, 1, device=where.device) < 0.25
    return (torch.where(loose, spots * around, patches) * where).clamp(0, 1)


def insert(grey: Tensor, opacity: Tensor) -> Tensor:
    """Return `grey` (n, 1, s, s) in 0 to 1 with `opacity` drawn towards soft tissue's grey."""
    level = torch.quantile(grey.flatten(1)[:, ::7], float(torch.empty(1).uniform_(0.72, 0.9)), 1)
    towards = (level[:, None, None, None] - grey).clamp(min=0)
    veil = _uniform(grey, 0.25, 0.85) * towards + _uniform(grey, 0.0, 0.15) * (1 - grey)
    return (grey + opacity * veil).clamp(0, 1)


def _foci(where: Tensor) -> Tensor:
    """Return smooth ellipses around places drawn from `where`."""
    n, device = len(where), where.device
    places = adaptive_avg_pool2d(where, _PLACES).flatten(1) + 1e-6
    number = torch.randint(1, _FOCI + 1, (n, 1, 1, 1), device=device)
    spread = _uniform(where, 0.05, 0.22)
    line = torch.linspace(0, 1, where.shape[-1], device=device)
    foci = torch.zeros_like(where)
    for k in range(_FOCI):
        place = torch.multinomial(places, 1)[:, 0]
        row = (place // _PLACES + torch.rand(n, device=device)) / _PLACES
        column = (place % _PLACES + torch.rand(n, device=device)) / _PLACES
        down = line[:, None] - row[:, None, None, None]
        right = line - column[:, None, None, None]
        turn = _uniform(where, 0, torch.pi)
        cos, sin = torch.cos(turn), torch.sin(turn)
        along = (cos * right + sin * down) / (spread * _uniform(where, 0.6, 1.6))
        across = (cos * down - sin * right) / (spread * _uniform(where, 0.6, 1.6))
        ellipse = torch.exp(-((along**2 + across**2) ** _uniform(where, 0.7, 2.0)))
        foci = torch.maximum(foci, ellipse * (k < number))
    return foci


def _noise(like: Tensor, cells: int) -> Tensor:
    field = torch.randn(len(like), 1, cells, cells, device=like.device)
    return interpolate(field, like.shape[-2:], mode="bicubic", align_corners=False)


def _uniform(like: Tensor, low: float, high: float) -> Tensor:
    return torch.empty(len(like), 1, 1, 1, device=like.device).uniform_(low, high)

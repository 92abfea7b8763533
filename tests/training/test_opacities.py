from __future__ import annotations

import torch

from lungflag.training.opacities import insert, opacities


def test_an_opacity_lies_where_it_may_and_brightens_dark_lungs() -> None:
    torch.manual_seed(1)
    where = torch.zeros(32, 1, 96, 96)
    where[..., 20:70, 10:40] = 1.0
    grey = torch.full_like(where, 0.8)
    grey[where == 1] = 0.2
    field = opacities(where)
    assert float(field[where == 0].abs().max()) == 0.0
    assert 0.0 <= float(field.min()) <= float(field.max()) <= 1.0
    after = insert(grey, field)
    torch.testing.assert_close(after[field == 0], grey[field == 0])
    assert (after >= grey - 1e-6).all()
    brighter = (after - grey).clamp(min=0).amax(dim=(1, 2, 3))
    assert float((brighter > 0.05).float().mean()) > 0.9

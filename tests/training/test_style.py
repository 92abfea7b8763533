from __future__ import annotations

import numpy as np
import torch

from lungflag.training.style import StyleMix, bend, equalise, match, mix_spectra


def _films(n: int = 4) -> torch.Tensor:
    noise = torch.rand(n, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    return noise ** torch.linspace(0.4, 2.5, n)[:, None, None, None]


def test_a_matched_film_has_the_histogram_of_its_partner() -> None:
    films = _films()
    partner = films.flip(0)
    matched = match(films, partner)
    levels = torch.linspace(0.1, 0.9, 9)
    ours = torch.quantile(matched.flatten(1), levels, dim=1)
    torch.testing.assert_close(
        ours, torch.quantile(partner.flatten(1), levels, dim=1), atol=0.03, rtol=0
    )


def test_a_change_of_grey_scale_keeps_the_order_of_the_greys() -> None:
    films = (_films() * 255).round() / 255
    torch.manual_seed(3)
    for change in (match, equalise, bend):
        after = change(films, films.flip(0))
        for before, one in zip(films, after, strict=True):
            order = before.flatten().argsort(stable=True)
            assert (one.flatten()[order].diff() >= -1e-6).all()


def test_a_mixed_spectrum_keeps_the_phases_and_the_mean() -> None:
    films = 0.25 + 0.5 * _films()
    mixed = mix_spectra(films, films.flip(0))
    torch.testing.assert_close(
        mixed.mean(dim=(1, 2, 3)), films.mean(dim=(1, 2, 3)), atol=5e-3, rtol=0
    )
    fine = np.abs(np.fft.rfft2(films[0, 0]))[8:-8, 8:]
    torch.testing.assert_close(
        torch.from_numpy(np.abs(np.fft.rfft2(mixed[0, 0]))[8:-8, 8:]),
        torch.from_numpy(fine), atol=0.5, rtol=0.05,
    )  # fmt: skip


def test_the_share_of_changed_films_is_the_one_asked_for() -> None:
    films = _films(256)
    torch.manual_seed(1)
    assert torch.equal(StyleMix(0.0)(films), films)
    changed = (StyleMix(0.5)(films) != films).flatten(1).any(dim=1).float().mean()
    assert 0.4 < float(changed) < 0.6

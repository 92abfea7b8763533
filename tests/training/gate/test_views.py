from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lungflag.quality.settings import KINDS
from lungflag.training.gate.views import FROM_FILMS, blank, jumbled, toned, varied
from tests.training.gate.films import chest

if TYPE_CHECKING:
    from lungflag.training.gate.views import Change

CHANGES = {"varied": varied, "toned": toned} | {
    f"{kind} {n}": change
    for kind, changes in FROM_FILMS.items()
    for n, change in enumerate(changes)
}


def test_every_kind_but_the_frontal_is_made_from_films() -> None:
    assert set(FROM_FILMS) == set(KINDS) - {"frontal"}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_gives_the_same_square_of_bytes_for_the_same_seed(name: str) -> None:
    for seed in range(6):
        film = chest(seed)
        one, two = (CHANGES[name](film, np.random.default_rng(seed)) for _ in range(2))
        assert one.shape == film.shape
        assert one.dtype == np.uint8
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(film, chest(seed))  # what came in is left alone


def likeness(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), two.ravel())[0, 1])


@pytest.mark.parametrize(
    ("kind", "undo"),
    [
        ("inverted", lambda seen: 255 - seen),
        ("rotated-90", lambda seen: np.rot90(seen, 1)),
        ("rotated-180", lambda seen: np.rot90(seen, 2)),
        ("rotated-270", lambda seen: np.rot90(seen, 3)),
    ],
)
def test_inversion_and_rotation_are_what_they_say(kind: str, undo: object) -> None:
    film = chest(1)
    (change,) = FROM_FILMS[kind]
    seen = [change(film, np.random.default_rng(seed)) for seed in range(20)]
    back = [likeness(film, undo(one)) for one in seen]  # type: ignore[operator]
    assert np.median(back) > 0.4
    assert np.median([likeness(film, one) for one in seen]) < np.median(back) - 0.2


def test_a_varied_film_stays_the_film_and_a_jumbled_or_blank_one_does_not() -> None:
    film = chest(2)

    def like(change: Change) -> float:
        seen = [change(film, np.random.default_rng(seed)) for seed in range(30)]
        return float(np.median([likeness(film, one) for one in seen]))

    assert like(varied) > 0.45
    assert like(jumbled) < 0.3
    assert like(blank) < 0.3

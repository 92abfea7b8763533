"""The crash test: nothing acknowledged is lost, and nothing is doubled, whoever is killed when."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.service.crash import run
from tests.service.postgres import Postgres


def _long() -> bool:
    """Return whether this is `make proof`."""
    return settings().max_examples > 1000


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"] if _long() else ["sqlite"])
def test_nothing_is_lost_and_nothing_is_doubled(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    postgres: Postgres | None = (
        request.getfixturevalue("postgres") if database == "postgresql" else None
    )
    seeds, films, every = (5, 500, 120) if _long() else (1, 40, 20)
    for seed in range(1, seeds + 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        tally = run(folder, seed, films, every=every, postgres=postgres)
        print(tally)  # noqa: T201  # the figures of `make proof`
        assert tally.kills
        assert (tally.acknowledged, tally.outcomes, tally.deliveries) == (films, films, 2 * films)
        assert (tally.arrived, tally.files) == (films, films)
        assert (tally.lost, tally.doubled) == (0, 0)

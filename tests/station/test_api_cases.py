"""The API keeps to its own description: the short, seeded form of `tests.station.api_cases`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.station.api_cases import run_cases

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_no_answer_is_an_error_undocumented_or_given_to_anybody(tmp_path: Path) -> None:
    passes = list(run_cases(tmp_path, examples=3, seed=1))
    assert [one.failures for one in passes] == [(), ()]
    assert all(one.cases > 300 for one in passes)
    assert all(not status.startswith("5") for one in passes for status in one.statuses)

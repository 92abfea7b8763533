"""Readers' verdicts as sensitivity and specificity."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.station.quality.accuracy import accuracy
from lungflag.station.quality.rows import Image

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def image(flagged: bool | None, verdict: str | None) -> Image:
    code, probability = ("blank", None) if flagged is None else (None, 0.5)
    return Image(
        job=1, patient="p", site="", device="", received_at=NOW, done_at=NOW,
        probability=probability, flagged=flagged, grey_mean=None, grey_std=None, code=code,
        verdict=verdict, read_at=NOW if verdict else None,
    )  # fmt: skip


def images(**counts: int) -> list[Image]:
    cells = {
        "tp": (True, "agree"),
        "fp": (True, "disagree"),
        "tn": (False, "agree"),
        "fn": (False, "disagree"),
        "flagged": (True, None),
        "clear": (False, None),
    }
    return [image(*cells[name]) for name, n in counts.items() for _ in range(n)]


def test_a_disagreement_turns_the_outcome_over() -> None:
    found = accuracy(images(tp=9, fp=3, tn=20, fn=1))
    assert found.sensitivity.value == pytest.approx(9 / 10)
    assert found.specificity.value == pytest.approx(20 / 23)
    assert (found.sensitivity.n, found.specificity.n) == (10, 23)


def test_unsure_and_rejected_count_for_nothing() -> None:
    sure = images(tp=9, fp=3, tn=20, fn=1)
    rest = [image(True, "unsure"), image(False, "unsure"), image(None, "agree"), image(None, None)]
    assert accuracy(sure + rest).sensitivity == accuracy(sure).sensitivity
    assert accuracy(sure + rest).flagged == 13


FLAGGED = st.sampled_from([True, False, None])
SAID = st.sampled_from(["agree", "disagree", "unsure", None])


@given(st.lists(st.tuples(FLAGGED, SAID), max_size=60))
def test_every_image_stands_in_at_most_one_cell(rows: list[tuple[bool | None, str | None]]) -> None:
    found = accuracy([image(*row) for row in rows])
    assert found.flagged + found.not_flagged == sum(flagged is not None for flagged, _ in rows)
    read = found.true_positive + found.false_positive + found.true_negative + found.false_negative
    assert read == found.flagged_read + found.not_flagged_read
    for one in (found.corrected_sensitivity, found.corrected_specificity):
        if one.value is not None:
            assert one.low is not None
            assert one.high is not None
            assert 0 <= one.low <= one.value <= one.high <= 1


def test_the_correction_leaves_what_all_have_read() -> None:
    found = accuracy(images(tp=40, fp=10, tn=140, fn=10))
    assert found.corrected_sensitivity.value == pytest.approx(found.sensitivity.value)
    assert found.corrected_specificity.value == pytest.approx(found.specificity.value)


def test_the_correction_undoes_that_flagged_images_are_read_more_often() -> None:
    """A population with sensitivity 0.8: all flagged films are read, a tenth of the others."""
    rng = np.random.default_rng(7)
    raw, corrected, covered = [], [], 0
    for _ in range(60):
        ill = rng.random(1500) < 0.2
        flagged = np.where(ill, rng.random(1500) < 0.8, rng.random(1500) < 0.1)
        read = flagged | (rng.random(1500) < 0.1)
        found = accuracy(
            image(bool(f), ("agree" if f == i else "disagree") if r else None)
            for i, f, r in zip(ill, flagged, read, strict=True)
        )
        one = found.corrected_sensitivity
        assert found.sensitivity.value is not None
        assert one.value is not None
        assert one.low is not None
        assert one.high is not None
        raw.append(found.sensitivity.value)
        corrected.append(one.value)
        covered += one.low <= 0.8 <= one.high
    assert np.mean(raw) > 0.95
    assert np.mean(corrected) == pytest.approx(0.8, abs=0.03)
    assert covered >= 52

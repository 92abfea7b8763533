from __future__ import annotations

import pytest

from lungflag.evaluation.report import words
from lungflag.evaluation.report.card import parts


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.981, "98.1%"),
        (1.0, "100.0%"),
        (0.9996, "99.96%"),
        (0.99996, "> 99.99%"),
        (0.0, "0.0%"),
        (0.00002, "< 0.01%"),
        (1e-17, "0.0%"),
        (None, "–"),  # noqa: RUF001
    ],
)
def test_shares_never_read_as_certain_where_they_are_not(value: float | None, shown: str) -> None:
    assert words.share(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.9921, "0.992"), (0.99996, "0.99996"), (1.0, "1.000"), (-0.283, "−0.283"), (1e-18, "0.000")],  # noqa: RUF001
)
def test_figures_never_read_as_certain_where_they_are_not(value: float, shown: str) -> None:
    assert words.figure(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.023, "about 2"),
        (0.002, "fewer than 1"),
        (0.0, "none"),
        (1.0, "all"),
        (0.999, "about 100"),
    ],
)
def test_shares_as_so_many_of_a_hundred(value: float, shown: str) -> None:
    assert words.of_100(value) == shown


@pytest.mark.parametrize(
    ("drop", "level"),
    [
        (None, "none"),
        (-0.2, "d0"),
        (0.009, "d0"),
        (0.01, "d1"),
        (0.03, "d2"),
        (0.07, "d3"),
        (0.4, "d4"),
    ],
)
def test_how_far_an_auroc_fell(drop: float | None, level: str) -> None:
    assert words.drop_level(drop) == level


def test_the_card_is_parted_at_its_headings_and_loads_and_runs_nothing() -> None:
    card = (
        "# name\n\nIntro.\n\n## Evidence\n\n| a | b |\n|---|---|\n| 1 | <script>x</script> |\n\n"
        "## Known failures and limits\n\n- **bold** ![pixel](http://example.org/p.png)\n"
        "- [link](javascript:alert(1))\n"
    )
    found = parts(card)
    assert list(found) == ["Evidence", "Known failures and limits"]
    assert '<div class="wide"><table>' in found["Evidence"]
    assert "&lt;script&gt;" in found["Evidence"]
    limits = found["Known failures and limits"]
    assert "<strong>bold</strong>" in limits
    assert "<img" not in limits
    assert 'href="javascript' not in limits

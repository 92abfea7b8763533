"""Figures in words and table cells: one way to write them, with 'not measured' for what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.card.evidence import Figure
from lungflag.prevalence import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOT_MEASURED = "not measured"


def figure(found: Figure | None) -> str:
    """Return the value with its interval, such as ``0.981 (0.968 to 0.991)``."""
    if found is None or found.value is None:
        return NOT_MEASURED
    if found.low is None or found.high is None:
        return f"{number(found.value)} (no interval)"
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def number(value: float) -> str:
    """Return three digits behind the point; what is not quite 0 or 1 does not look like it."""
    if 0 < value < 0.0005:
        return "<0.001"
    if 0.9995 <= value < 1:
        return ">0.999"
    return f"{value:.3f}"


def in_a_hundred(found: Figure) -> str:
    """Return the share that is lacking to `found`, in natural frequencies: ``2 (1 to 4) in 100``.

    References
    ----------
    G. Gigerenzer et al., 'Helping doctors and patients make sense of health statistics', Psychol.
    Sci. Public Interest 8, 2007.
    """
    if found.value is None:
        return NOT_MEASURED
    lacking = _count(1 - found.value)
    if found.low is None or found.high is None:
        return f"{lacking} in 100"
    return f"{lacking} ({_count(1 - found.high)} to {_count(1 - found.low)}) in 100"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    return [
        "| " + " | ".join(map(cell, head)) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(map(cell, row)) + " |" for row in rows),
    ]


def cell(text: str) -> str:
    """Return `text` on one line, with what would end a table cell made harmless."""
    return " ".join(str(text).split()).replace("|", "\\|")


def rate(found: Figure | None) -> Rate | None:
    """Return a figure with an interval as a rate, else None."""
    if found is None or found.value is None or found.low is None or found.high is None:
        return None
    # An interval made by resampling may end a hair short of its value.
    return Rate(found.value, min(found.low, found.value), max(found.high, found.value))


def percent(share: float) -> str:
    """Return a prevalence such as ``5%``."""
    return f"{share:.0%}"


def labels(counts: Mapping[str, int]) -> str:
    """Return counts by label, such as ``201 normal, 581 pneumonia``."""
    return ", ".join(f"{n:,} {label}" for label, n in counts.items())


def _count(share: float) -> str:
    """Return a share as so many of 100; small ones are not rounded away."""
    return f"{100 * share:.1f}" if 0 < share < 0.0095 else f"{100 * share:.0f}"

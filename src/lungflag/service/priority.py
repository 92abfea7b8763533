"""How urgent a study is: HIGH, MEDIUM or LOW, as in the Unified Procedure Step (PS3.3, C.30.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lungflag.service.ledger.rows import OutcomeRecord

PRIORITIES = ("HIGH", "MEDIUM", "LOW")
"""From most to least urgent; HIGH is STAT."""

_OF_MESSAGE = {0: "MEDIUM", 1: "HIGH", 2: "LOW"}
# Requested Procedure Priority (0040,1003), PS3.3, table C.4-11.
_OF_REQUEST = {
    "STAT": "HIGH",
    "HIGH": "HIGH",
    "ROUTINE": "MEDIUM",
    "MEDIUM": "MEDIUM",
    "LOW": "LOW",
}


def of_message(priority: int | None) -> str:
    """Return the name of a DIMSE message's Priority (0000,0700), empty where it has none."""
    return "" if priority is None else _OF_MESSAGE.get(priority, "")


def of_request(word: str) -> str:
    """Return the priority for Requested Procedure Priority (0040,1003), empty where unknown."""
    return _OF_REQUEST.get(word.strip().upper(), "")


def of_outcome(record: OutcomeRecord) -> str:
    """Return how urgent an outcome makes its study.

    A flagged radiograph is HIGH. A rejected one is MEDIUM, for a person has to look. One that is
    not flagged is LOW, which changes nothing: it is not cleared.
    """
    if record.kind == "rejection":
        return "MEDIUM"
    return "HIGH" if record.flagged else "LOW"


def highest(*priorities: str) -> str:
    """Return the most urgent of `priorities`; empty ones say nothing, and nothing is MEDIUM."""
    stated = [one for one in priorities if one]
    return min(stated, key=PRIORITIES.index) if stated else "MEDIUM"

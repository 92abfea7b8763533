"""A package's model card: Markdown made of what is on record, with every gap said to be one."""

from __future__ import annotations

from lungflag.card.evidence import (
    Development,
    Evidence,
    Figure,
    add_development,
    add_evidence,
    add_failures,
    evidence_of,
    read_evaluation,
)
from lungflag.card.render import render, rewrite

__all__ = [
    "Development",
    "Evidence",
    "Figure",
    "add_development",
    "add_evidence",
    "add_failures",
    "evidence_of",
    "read_evaluation",
    "render",
    "rewrite",
]

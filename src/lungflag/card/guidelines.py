"""Reporting guidelines: where each of their items is answered for a package, and which are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungflag.card.evidence import development_of, evidence_of
from lungflag.package import shipped_packages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lungflag.package import ModelPackage

FACTS = {
    "data": "no training data on record",
    "recipe": "no recipe on record",
    "log": "no log: only the shipped packages have one",
    "evidence": "no evaluation on record",
    "external": "no evaluation on images of another source on record",
    "subgroups": "no subgroup measured",
    "sex": "no subgroup by sex measured",
    "ages": "ages of the validated patients not on record",
    "shift": "the shift bench was not run",
    "calibration": "calibration not measured",
    "gate": "the package has no quality gate",
    "derived": "the package was not recalibrated",
    "development": "no figures from the making of the package on record",
}
"""Fact of a package to what is said where it is missing."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a guideline, in our own words.

    Attributes
    ----------
    number : str
        As the guideline counts.
    topic : str
        What it asks for.
    where : str
        Where it is answered; empty where it is not.
    needs : str
        The key of `FACTS` without which that place has no answer.
    gap : str
        What is not answered, or why.
    """

    number: str
    topic: str
    where: str = ""
    needs: str = ""
    gap: str = ""


def facts(package: ModelPackage) -> frozenset[str]:
    """Return the keys of `FACTS` that are true of the package.

    Raises
    ------
    PackageError
        If a record of evidence or development cannot be read.
    """
    evidence = evidence_of(package)
    learned = {str(entry["name"]) for entry in package.training_data}
    columns = {name.split(" = ")[0] for one in evidence for name in one.subgroups}
    true = {
        "data": any(entry["images"] > 0 for entry in package.training_data),
        "recipe": bool(package.provenance.get("recipe")),
        "log": package.name in shipped_packages(),
        "evidence": bool(evidence),
        "external": any(one.sources and not set(one.sources) & learned for one in evidence),
        "subgroups": bool(columns),
        "sex": "sex" in columns,
        "ages": package.validated.ages is not None,
        "shift": any(one.shift for one in evidence),
        "calibration": any("slope" in one.metrics for one in evidence),
        "gate": package.gate is not None,
        "derived": "derived_from" in package.provenance,
        "development": bool(development_of(package)),
    }
    return frozenset(key for key, there in true.items() if there)


def answer(item: Item, known: frozenset[str]) -> tuple[str, str]:
    """Return ``yes``, ``partly`` or ``no``, and where the item is answered or why it is not."""
    if item.needs and item.needs not in known:
        return "no", FACTS[item.needs]
    if not item.where:
        return "no", item.gap
    if item.gap:
        return "partly", f"{item.where}. Not answered: {item.gap}"
    return "yes", item.where


def item_map(items: Sequence[Item], known: frozenset[str]) -> list[str]:
    """Return a Markdown table of the items, one row each, and a line that counts the answers."""
    answers = [answer(item, known) for item in items]
    count = {word: sum(found == word for found, _ in answers) for word in ("yes", "partly", "no")}
    return [
        f"{count['yes']} of {len(items)} answered, {count['partly']} in part, {count['no']} not.",
        "",
        "| item | asks for | answered | where, or why not |",
        "|---|---|---|---|",
        *(
            f"| {item.number} | {item.topic} | {word} | {place} |"
            for item, (word, place) in zip(items, answers, strict=True)
        ),
    ]

"""Known failures and limits, in words for a clinician, from the figures on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.card import texts, words
from lungflag.card.evidence import evidence_of
from lungflag.card.guidelines import facts

if TYPE_CHECKING:
    from lungflag.card.evidence import Evidence
    from lungflag.package import ModelPackage

CHANCE, WEAK = 0.6, 0.9  # of AUROC: what is called near chance, and what is called weak
_IF_NOT = {
    "external": "how it does at hospitals that it was not trained on",
    "shift": "how much it loses when pictures get worse (shift bench)",
    "sex": "whether it does equally well in women and men, girls and boys",
    "gate": "how it does on pictures that are no chest radiographs; nothing keeps them out",
}
MISSES, ALARMS = 0.95, 0.8  # sensitivity and specificity below which a warning is due


def known_failures(package: ModelPackage) -> list[str]:
    """Return a bullet a failure or limit: measured ones first, then what nobody measured."""
    known = facts(package)
    lines = [sentence for one in evidence_of(package) for sentence in _measured(one, package)]
    lines += [words.cell(text) for text in package.provenance.get("known_failures", ())]
    lines += [f"**Not measured**: {text}." for fact, text in _IF_NOT.items() if fact not in known]
    return [*(f"- {line}" for line in lines), texts.LIMITS]


def _measured(one: Evidence, package: ModelPackage) -> list[str]:
    """Return a sentence for each figure that a reader must be warned of."""
    found = []
    where = f"On {words.cell(one.data)}"
    auroc = one.metrics.get("auroc")
    if auroc is not None and auroc.value is not None and auroc.value < WEAK:
        hardly = "hardly better than a coin" if auroc.value < CHANCE else "only weakly"
        found.append(
            f"**{where} it tells pneumonia from normal {hardly}** (AUROC {words.figure(auroc)}). "
            "Do not use it on such films."
        )
    name = package.default_operating_point
    rates = one.points.get(name, {})
    missed, alarms = rates.get("sensitivity"), rates.get("specificity")
    if missed is not None and missed.value is not None and missed.value < MISSES:
        found.append(f"{where} it misses {words.in_a_hundred(missed)} with pneumonia at `{name}`.")
    if alarms is not None and alarms.value is not None and alarms.value < ALARMS:
        found.append(f"{where} it flags {words.in_a_hundred(alarms)} normal ones at `{name}`.")
    slope = one.metrics.get("slope")
    if slope is not None and slope.high is not None and slope.high < 1:
        found.append(
            f"{where} its probabilities are too extreme (calibration slope {words.figure(slope)})."
        )
    rejected = sum(one.rejected.values())
    if rejected:
        found.append(f"{where} it refused {rejected:,} of {one.images:,} radiographs.")
    return found

"""The card as a whole: its sections in order, and how it is put into the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lungflag.card import measured, texts, words
from lungflag.card.claim import CLAIM
from lungflag.card.evidence import Figure, evidence_of
from lungflag.card.guidelines import facts, item_map
from lungflag.card.limits import known_failures
from lungflag.card.tripod import TRIPOD_AI
from lungflag.card.words import NOT_MEASURED, table

if TYPE_CHECKING:
    from lungflag.package import ModelPackage


def render(package: ModelPackage) -> str:
    """Return the package's model card in Markdown, from nothing but what the package records.

    Raises
    ------
    PackageError
        If a record of evidence or development in the provenance cannot be read.

    References
    ----------
    M. Mitchell et al., 'Model cards for model reporting', FAT* 2019.
    """
    known = facts(package)
    sections = {
        "Intended use": _intended_use(package),
        "Do not use it": _out_of_scope(package),
        "Known failures and limits": known_failures(package),
        "Operating points": measured.operating_points(package),
        "Evidence": measured.evidence(package),
        "Predictive values": measured.predictive_values(package),
        "Calibration": measured.calibration(package),
        "Development figures": measured.development(package),
        "What it refuses": _refuses(package),
        "How it was made": _made(package),
        **(
            {"Recalibrated at a site": _derived(package.provenance["derived_from"])}
            if "derived_from" in package.provenance
            else {}
        ),
        "TRIPOD+AI": [texts.GUIDELINE, "", *item_map(TRIPOD_AI, known)],
        "CLAIM 2024": [texts.GUIDELINE, "", *item_map(CLAIM, known)],
    }
    lines = [f"# {package.name} {package.version}", "", *_banner(package)]
    for title, body in sections.items():
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def rewrite(package: ModelPackage) -> ModelPackage:
    """Write the package where it lies, with a fresh card, and return it as read back.

    Raises
    ------
    PackageError
        If it cannot be written, or a record in the provenance cannot be read.
    """
    folder = package.folder or ""
    gate = None if package.gate is None else package.gate_bytes()
    return package.write(
        folder,
        graph=package.graph_bytes(),
        card=render(package),
        gate=gate,
        reference=package.reference_bytes(),
    )


def _banner(package: ModelPackage) -> list[str]:
    lines = [texts.BANNER]
    if source := package.provenance.get("derived_from"):
        lines += ["", texts.DERIVED.format(name=source["name"], version=source["version"])]
    if not evidence_of(package):
        lines += ["", texts.UNPROVEN]
    return lines


def _intended_use(package: ModelPackage) -> list[str]:
    use = package.validated
    ages = f"{use.ages[0]:g} to {use.ages[1]:g} years" if use.ages else "not on record"
    return [
        texts.INTENDED_USE.format(hospitals=_list(use.hospitals), ages=ages, views=_list(use.views))
    ]


def _out_of_scope(package: ModelPackage) -> list[str]:
    use = package.validated
    ages = texts.OUT_OF_AGES.format(*use.ages) if use.ages else texts.NO_AGES
    return [texts.OUT_OF_SCOPE.format(ages=ages, hospitals=_list(use.hospitals))]


def _refuses(package: ModelPackage) -> list[str]:
    gate = package.gate
    return [texts.GATE.format(smallest_side=gate.smallest_side) if gate else texts.NO_GATE]


def _made(package: ModelPackage) -> list[str]:
    rows = [
        [
            str(one["name"]),
            f"{one['images']:,}",
            f"{one['patients']:,}",
            str(one["licence"]),
            str(one["citation"]) or "not stated",
        ]
        for one in package.training_data
    ]
    tune = package.provenance.get("tune", {})
    held = f"{tune['images']:,} images" if "images" in tune else "images (how many: not on record)"
    auroc = f" (AUROC there {tune['auroc']:.4f})" if "auroc" in tune else ""
    square = package.preprocess.to_dict()
    return [
        *table(["training images of", "images", "patients", "licence", "citation"], rows),
        "",
        texts.MADE.format(held=held, auroc=auroc, **square),
        *_recipe(package.provenance.get("recipe")),
        *_listed("Software", package.provenance.get("versions")),
        f"- **Date**: {package.provenance.get('date', 'not on record')}",
    ]


def _recipe(recipe: object) -> list[str]:
    if isinstance(recipe, dict):
        return _listed("Recipe", recipe)
    return [f"- **Recipe**: {words.cell(str(recipe)) if recipe else 'not on record'}"]


def _listed(title: str, values: Any) -> list[str]:
    if not isinstance(values, dict):
        return [f"- **{title}**: not on record"]
    text = ", ".join(f"{key} {value}" for key, value in values.items())
    return [f"- **{title}**: {words.cell(text)}"]


def _derived(record: dict[str, Any]) -> list[str]:
    images, patients = record["images"], record["patients"]
    folds = record["folds"]
    how = (
        f"out of fold, {folds}-fold by patient"
        if folds
        else "on the very images of the fit, which flatters"
    )
    titles = {
        "calibration_error": "calibration error (0 is best)",
        "brier": "Brier score (0 is best)",
        "slope": "calibration slope (1 is best)",
        "intercept": "calibration intercept (0 is best)",
    }
    rows = [
        [title, *(_recorded(record[state][key]) for state in ("before", "after"))]
        for key, title in titles.items()
    ]
    for name, point in record["after"]["points"].items():
        old = record["before"]["points"].get(name)
        rows += [
            [f"{name}: {key}", _recorded(old[key]) if old else NOT_MEASURED, _recorded(point[key])]
            for key in ("sensitivity", "specificity")
        ]
    return [
        texts.RECALIBRATED.format(
            date=record["date"],
            split=record["split"],
            data=words.cell(record["data"]),
            normal=images["normal"],
            pneumonia=images["pneumonia"],
            rejected=images["rejected"],
            patients=patients["all"],
            ill=patients["pneumonia"],
            digest=record["digest"][:16],
        ),
        "",
        *table(["figure", "before", f"after ({how})"], rows),
        "",
        *(f"- Warning: {words.cell(text)}" for text in record["warnings"]),
    ]


def _recorded(one: dict[str, Any]) -> str:
    return words.figure(Figure(one["value"], one["low"], one["high"], one["n"]))


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(map(words.cell, names)) or "not on record"
